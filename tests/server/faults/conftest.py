"""One server per layout for all fault cases, with repositories that the real script built from one tiny model."""

import contextlib
import functools
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import tiny_models
from tests.server.faults.supervised import Supervised, lay_out_serving, supervised
from tests.server.faults.target import Target
from tests.server.task_requests import build as build_repository
from utils.host.build_tree import BUILD
from utils.triton.server import serve

LAYOUTS = ("ensemble", "fused")
Built = tuple[str, Path]  # the name of the model, and its repository
# For tests of the server around the model, which is the same in each layout. The fused one starts and ends fastest.
ONE_LAYOUT = pytest.mark.parametrize("layout", ["fused"], indirect=True)


@pytest.fixture(scope="session", params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    """The layout of the served model; tests of the server itself use only one."""
    return str(request.param)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Built]]:
    """build(layout): (model name, model repository) of a finished build, the same one each time."""
    model = tiny_models.bert(tmp_path_factory.mktemp("faults") / "model")
    made = []

    @functools.cache
    def make(layout: str) -> Built:
        name = f"faults-{layout}-{uuid.uuid4().hex[:8]}"
        made.append(BUILD / name)
        done = build_repository(model, model, "-", name, "v1", 8, "--layout", layout, "--no-verify")
        assert done.returncode == 0, done.stderr
        return name, BUILD / name / "v1/model_repository"

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def target_of(build: Callable[[str], Built]) -> Iterator[Callable[[str], Target]]:
    """target_of(layout): a server of that layout, the same one each time."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(layout: str) -> Target:
            name, repository = build(layout)
            return Target(stack.enter_context(serve(repository)), name)

        yield start


@pytest.fixture(scope="session")
def built(layout: str, build: Callable[[str], Built]) -> Built:
    return build(layout)


@pytest.fixture(scope="session")
def target(layout: str, target_of: Callable[[str], Target]) -> Target:
    return target_of(layout)


@pytest.fixture(scope="module")
def serving(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out_serving(tmp_path_factory.mktemp("serving") / "opt", built[1].parent / "golden.json")


@pytest.fixture
def run(built: Built, serving: Path, tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    """run(**options): the supervisor on the built repository, ready."""
    with contextlib.ExitStack() as stack:

        def start(
            repository: Path = built[1], folder: Path = serving, *, ready: bool = True, **options: Any
        ) -> Supervised:
            server = stack.enter_context(supervised(repository, folder, tmp_path, **options))
            return server.wait_until_ready() if ready else server

        yield start
