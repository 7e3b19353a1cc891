"""Real Triton servers for the tests."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from utils.local_triton import LocalServer, serve


@pytest.fixture(scope="session")
def serve_repository() -> Iterator[Callable[[Path], LocalServer]]:
    """`serve_repository(path)`: a ready server on a model repository, the same one for the same path, until the end."""
    running: dict[Path, LocalServer] = {}
    with contextlib.ExitStack() as stack:

        def start(model_repository: Path) -> LocalServer:
            if model_repository not in running:
                running[model_repository] = stack.enter_context(serve(model_repository))
            return running[model_repository]

        yield start
