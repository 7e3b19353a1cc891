"""An engine, stand-ins for the two base images, and small build trees. In CI nothing is skipped."""

import functools
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests import shared_conversions, tiny_models
from tests.loopback.dockerd import engine_in_reach
from tests.unavailable import unavailable
from utils import ROOT
from utils.docker import context, wheelhouse
from utils.docker.client import LEGACY, DockerClient
from utils.docker.engine import Engine
from utils.docker.platforms import exit_program
from utils.host.build_tree import BUILD
from utils.host.errors import ImageError
from utils.proof.golden import GoldenAnswers, GoldenRow, texts
from utils.proof.golden_file import write_golden
from utils.repository.context import Context, write_context
from utils.repository.pipeline import Pipeline

STANDIN = ROOT / "tests/image/standin"

ECHO_MODEL = """\
import sys

import numpy
import tokenizers
import triton_python_backend_utils as pb_utils

print("начало")  # a model may print what is not ASCII


class TritonPythonModel:
    def execute(self, requests):
        tensors = [pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy() for request in requests]
        print(numpy.__version__, tokenizers.__version__, sys.version)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("echo", numpy.array(t, dtype=object))]) for t in tensors]
"""
ECHO_CONFIG = """\
name: "echo"
backend: "python"
max_batch_size: 4
input { name: "text_input" data_type: TYPE_STRING dims: 1 }
output { name: "echo" data_type: TYPE_STRING dims: 1 }
"""
HELLO = texts(["Hello"])
GOLDEN = GoldenAnswers(
    rows=(GoldenRow(model="echo", batched=True, inputs={"text_input": HELLO}, outputs={"echo": HELLO}),),
    comparison="tensors",
)
DOUBLE_CONFIG = """\
name: "double"
backend: "onnxruntime"
max_batch_size: 4
input { name: "x" data_type: TYPE_FP32 dims: 2 }
output { name: "y" data_type: TYPE_FP32 dims: 2 }
instance_group { kind: KIND_CPU }
"""


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    try:
        with engine_in_reach() as engine:
            yield engine
    except ImageError as error:
        unavailable(str(error))


@dataclass(frozen=True, kw_only=True)
class Standin:
    """Stand-ins on a Debian release: for NVIDIA's image (`full`), with a Python, and for the slim base (`slim`)."""

    suite: str
    python: str

    @property
    def full(self) -> str:
        return f"triton-standin:{self.suite}-{self.python}"

    @property
    def slim(self) -> str:
        return f"triton-standin-slim:{self.suite}"


BOOKWORM = Standin(suite="bookworm", python="3.11")
# Another glibc with the same Python, and with its own Python. The PyPI Triton's stub for Python 3.13 returns broken
# arrays: its pybind11 is older than numpy 2, and numpy 1 has no wheel for that Python. It cannot answer requests.
TRIXIE = Standin(suite="trixie", python="3.11")
TRIXIE_OWN = Standin(suite="trixie", python="3.13")


@pytest.fixture(scope="session")
def make_standin(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Standin], Standin]:
    """make_standin(standin) -> standin, after building its images unless the engine has them."""

    @functools.cache
    def make(standin: Standin) -> Standin:
        wheels = tmp_path_factory.mktemp("standin") / "wheels"
        wheelhouse.fill(
            wheels,
            requirements=[STANDIN / "requirements.txt"],
            locks=[STANDIN.with_suffix(".lock")],
            python=standin.python,
            machine="x86_64",
        )
        buildkit = "0" if engine.client.builder == LEGACY else "1"
        environment = os.environ | {"DOCKER": str(engine.client.program), "DOCKER_BUILDKIT": buildkit}
        command = [str(STANDIN / "make.sh"), standin.suite, standin.python, str(wheels)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            unavailable(f"the stand-in base images cannot be made: {done.stderr[-500:]}")
        return standin

    return make


@pytest.fixture(scope="session")
def bases(make_standin: Callable[[Standin], Standin]) -> tuple[str, str]:
    """(full, slim) image of the stand-in that most tests use."""
    standin = make_standin(BOOKWORM)
    return standin.full, standin.slim


@pytest.fixture(scope="session")
def derive(engine: Engine) -> Iterator[Callable[[str, str], str]]:
    """derive(base, instruction) -> the name of an image with one more Dockerfile instruction, removed at the end."""
    made: list[str] = []

    def make(base: str, instruction: str) -> str:
        image = f"triton-factory-test-{os.getpid()}:derived-{len(made)}"
        made.append(image)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "Dockerfile").write_text(f"FROM {base}\n{instruction}\n")
            done = engine.client.run("build", "--quiet", "--network", "none", "--tag", image, folder, seconds=300)
        assert done.returncode == 0, done.stderr
        return image

    yield make
    for image in made:
        engine.client.run("rmi", "--force", image)


def run(
    *command: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True, text=True, cwd=cwd, check=False, timeout=600,
        env=shared_conversions.environment(**(env or {})),
    )  # fmt: skip


def make(model: Path, name: str, bases: tuple[str, ...], *options: object) -> "subprocess.CompletedProcess[str]":
    """The main script, finished; the image is tritoned_NAME:v1."""
    images = [part for pair in zip(("--base-image", "--slim-image"), bases, strict=False) for part in pair]
    return run(ROOT / "make_triton_image.sh", model, model, "-", name, "v1", 8, "--no-measure", *images, *options)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.distilbert(tmp_path_factory.mktemp("model") / "with space")


@pytest.fixture(scope="session")
def built(
    engine: Engine, bases: tuple[str, str], model: Path
) -> Iterator[tuple[str, "subprocess.CompletedProcess[str]"]]:
    """One build by the real script for several modules: (model name, finished process)."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name, make(model, name, bases)
    engine.client.run("rmi", "--force", f"tritoned_{name}:v1", f"tritoned_{name}:by-hand")
    shutil.rmtree(BUILD / name, ignore_errors=True)


def runs_here(platform: str, folder: Path) -> bool:
    """Whether Linux starts a program of `platform` ("linux/arm64"), natively or by a registered emulator."""
    program = folder / "exit"
    program.write_bytes(exit_program(platform))
    program.chmod(0o755)
    try:
        return subprocess.run([program]).returncode == 0
    except OSError:
        return False


def dangling(engine: Engine, *filters: str) -> set[str]:
    """The ids of the untagged images of these filters."""
    options = [part for each in ("dangling=true", *filters) for part in ("--filter", each)]
    return set(engine.client.run("images", "--quiet", "--no-trunc", *options).stdout.split())


def nameless(engine: Engine) -> set[str]:
    """Untagged images that no build of another worker is about to tag: those have a title."""
    return dangling(engine) - dangling(engine, "label=org.opencontainers.image.title")


@pytest.fixture
def legacy(engine: Engine) -> Iterator[Engine]:
    """The engine with its legacy builder. It leaves an image for every stage; the fixture removes them."""
    before = nameless(engine)
    yield Engine(client=DockerClient(program=engine.client.program, builder=LEGACY))
    engine.client.run("rmi", "--force", *(nameless(engine) - before))


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A build tree made by hand, and the image name in its context.json, which is also the title of the image."""

    folder: Path
    image: str

    def change_model(self, text: str) -> None:
        (self.folder / "model_repository/echo/1/model.py").write_text(text)


@pytest.fixture(scope="session")
def make_tree(
    engine: Engine, make_standin: Callable[[Standin], Standin], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Tree]]:
    """make_tree(runtime, standin, base) -> Tree; `base` replaces the full image. Images are removed at the end."""
    made: list[str] = []

    def make(runtime: str = "slim", standin: Standin = BOOKWORM, base: str = "") -> Tree:
        make_standin(standin)
        folder = tmp_path_factory.mktemp("tree")
        image = f"triton-factory-test-{os.getpid()}:{runtime}-{len(made)}"
        made.append(image)
        images = {"triton_image": base or standin.full, "slim_image": standin.slim}
        write_tree(folder, image, {**images, "runtime": runtime, "python": standin.python})
        return Tree(folder=folder, image=image)

    yield make
    for image in made:
        engine.client.run("rmi", "--force", image)


def write_tree(folder: Path, image: str, docker: Mapping[str, str]) -> None:
    former = os.umask(0o077)  # the strictest umask
    try:
        write_golden(GOLDEN, folder)
        context.write(folder, docker)
        pipeline = Pipeline(model_name="echo", max_batch_size=4, layout="none", inputs=(), outputs=(), steps=())
        labels = {
            "org.opencontainers.image.title": image,
            "triton-image-factory.labels": json.dumps(['a "b"\n$c', "д"]),
        }
        plan = dict(docker)
        write_context(Context(pipeline=pipeline, image=image, device="cpu", docker=plan, oci_labels=labels), folder)
        (folder / "artifacts").mkdir()
        (folder / "artifacts/secret").write_text("not in the image")
        write_repository(folder / "model_repository")
    finally:
        os.umask(former)


def write_repository(repository: Path) -> None:
    for name, config in (("echo", ECHO_CONFIG), ("double", DOUBLE_CONFIG)):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(config)
    (repository / "echo/1/model.py").write_text(ECHO_MODEL)
    onnx.save(double(), repository / "double/1/model.onnx")
    for path in [repository, *repository.rglob("*")]:  # as the assembly does
        path.chmod(0o755 if path.is_dir() else 0o644)


def double() -> Any:
    """y = x + x."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    x, y = (helper.make_tensor_value_info(name, kind, ["batch", 2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
