"""One server with a model of each task, built by the real script, for all tests of this folder."""

import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server.page_models import MODELS
from tests.server.task_requests import build as build_repository
from utils.host.build_tree import BUILD
from utils.proof.golden import GoldenRow
from utils.proof.golden_file import read_golden
from utils.tasks import TASKS
from utils.triton.server import serve

LIMIT = 8
KEY = "a-key-of-this-test"
# {task: the path of its model in docs/tasks.md, and options}. The same conversions as those of test_tasks_page.py.
BUILDS = {
    "text-classification": ("./topics", ("--top-k", "2")),
    "text-pair-classification": ("./entailment", ("--top-k", "3")),
    "text-ranking": ("./reranker", ()),
    "token-classification": ("./entities", ()),
    "question-answering": ("./reader", ()),
    "zero-shot-classification": ("./nli", ("--hypothesis-template", "This text is about {}.")),
    "feature-extraction": ("./embedder", ("--dimensions", "4,2")),
    "sparse-embedding": ("./splade", ("--top-k", "100")),
    "ocr": ("./ocr", ()),
}


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server with the models of BUILDS. `models`: {task: name}. `trees`: {task: build tree}."""

    http: str
    grpc: str
    models: dict[str, str]
    trees: dict[str, Path]

    def golden(self, task: str) -> list[GoldenRow]:
        """The golden requests of a model, with the answers of PyTorch."""
        rows = read_golden(self.trees[task] / "golden.json").rows
        return [row for row in rows if row.model == self.models[task]]


def build(task: str, folder: Path) -> tuple[str, str, Path]:
    """The build tree of the small model of a task."""
    path, options = BUILDS[task]
    place, name = folder / path, f"client-{task}-{uuid.uuid4().hex[:8]}"
    files, labels = [str(place), str(place)], "-"
    if "fused" in TASKS[task].layouts:
        options = (*options, "--layout", "fused")
    elif task != "ocr":  # all models are served together: no two steps have the same name
        options = (*options, "--step-name", f"model_onnx={name}-graph")
    if task == "ocr":
        files, labels = [f"{place}/detection.onnx", "-"], f"{place}/alphabet.json"
        options = ("--add-model", f"text_recognition={place}/recognition.onnx")
    arguments = [*files, labels, name, "v1", "1" if task == "ocr" else LIMIT]
    done = build_repository(*arguments, "--task", task, *options, "--no-verify")
    assert done.returncode == 0, done.stderr
    return task, name, BUILD / name / "v1"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("models of clients")
    for path, _ in BUILDS.values():
        MODELS[path](folder / path)
    with ThreadPoolExecutor(2) as pool:
        built = list(pool.map(lambda task: build(task, folder), BUILDS))
    repository = folder / "repository"
    for _, _, tree in built:
        shutil.copytree(tree / "model_repository", repository, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_ADMIN_KEY", KEY)
        with serve(repository) as server:
            yield Served(
                http=f"http://{server.address.http}",
                grpc=f"grpc://{server.address.grpc}",
                models={task: name for task, name, _ in built},
                trees={task: tree for task, _, tree in built},
            )
    for _, name, _ in built:
        shutil.rmtree(BUILD / name, ignore_errors=True)


@pytest.fixture(params=["http", "grpc"])
def server(request: pytest.FixtureRequest, served: Served) -> str:
    """The server's address in each protocol."""
    return str(getattr(served, request.param))


@pytest.fixture
def sentences() -> list[str]:
    """More texts than two requests hold, all different."""
    return [f"The quick brown fox number {place} jumps over the lazy dog." for place in range(3 * LIMIT - 1)]
