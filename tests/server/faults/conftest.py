"""One server per layout for all fault cases, with repositories that the real script built from one tiny model."""

import contextlib
import functools
import shutil
import uuid

import pytest

from tests import tiny_models
from tests.server.faults.supervised import lay_out_serving, supervised
from tests.server.faults.target import Target
from tests.server.task_requests import build as build_repository
from utils.host.build_tree import BUILD
from utils.triton.server import serve

LAYOUTS = ("ensemble", "fused")
# Asks about the server around the model, which is the same in each layout.
ENSEMBLE_ONLY = pytest.mark.parametrize("layout", ["ensemble"], indirect=True)


@pytest.fixture(scope="session", params=LAYOUTS)
def layout(request):
    """The layout of the served model; tests of the server itself use only one."""
    return request.param


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """build(layout): (model name, model repository) of a finished build, the same one each time."""
    model = tiny_models.bert(tmp_path_factory.mktemp("faults") / "model")
    made = []

    @functools.cache
    def make(layout):
        name = f"faults-{layout}-{uuid.uuid4().hex[:8]}"
        made.append(BUILD / name)
        done = build_repository(model, model, "-", name, "v1", 8, "--layout", layout, "--no-verify")
        assert done.returncode == 0, done.stderr
        return name, BUILD / name / "v1/model_repository"

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def target_of(build):
    """target_of(layout): a server of that layout, the same one each time."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(layout):
            name, repository = build(layout)
            return Target(stack.enter_context(serve(repository)), name)

        yield start


@pytest.fixture(scope="session")
def built(layout, build):
    return build(layout)


@pytest.fixture(scope="session")
def target(layout, target_of):
    return target_of(layout)


@pytest.fixture(scope="module")
def serving(built, tmp_path_factory):
    return lay_out_serving(tmp_path_factory.mktemp("serving") / "opt", built[1].parent / "golden.json")


@pytest.fixture
def run(built, serving, tmp_path):
    """run(**options): the supervisor on the built repository, ready."""
    made = []

    def start(repository=built[1], folder=serving, *, ready=True, **options):
        server = supervised(repository, folder, tmp_path, **options)
        made.append(server)
        entered = server.__enter__()
        return entered.wait_until_ready() if ready else entered

    yield start
    for server in made:
        server.__exit__(None, None, None)
