"""Real Triton servers for the tests."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from utils.serve import find_page
from utils.triton.server import LocalServer, serve


@pytest.fixture(scope="module")
def serve_repository() -> Iterator[Callable[..., LocalServer]]:
    """`serve_repository(path)`: a ready server on a model repository, the same one for the same path, for one file.

    With `page`=True it also serves the try-it page of the build.
    """
    running: dict[Path, LocalServer] = {}
    stacks: list[contextlib.ExitStack] = []

    def start(model_repository: Path, *, page: bool = False) -> LocalServer:
        if model_repository not in running:
            stacks.append(contextlib.ExitStack())
            running[model_repository] = stacks[-1].enter_context(
                serve(model_repository, page=find_page(model_repository) if page else None)
            )
        return running[model_repository]

    yield start
    with ThreadPoolExecutor() as pool:  # each takes seconds to end
        list(pool.map(contextlib.ExitStack.close, stacks))
