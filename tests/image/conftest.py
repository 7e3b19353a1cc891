"""An engine, the stand-ins for the two base images, and small build trees. In CI nothing is skipped."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest

from tests.loopback.dockerd import engine_in_reach
from utils import ROOT, docker_context, wheelhouse
from utils.context import Context, write_context
from utils.docker_client import LEGACY
from utils.errors import ImageError
from utils.golden import GoldenAnswers, GoldenRow, texts, write_golden
from utils.pipeline import Pipeline

STANDIN_FULL = "triton-standin:24.10"
STANDIN_SLIM = "triton-standin-slim:bookworm"
STANDIN_PYTHON = "3.11"

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


def unavailable(reason):
    """Skips, except in CI, where a test that does not run is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine():
    try:
        with engine_in_reach() as engine:
            yield engine
    except ImageError as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def bases(engine, tmp_path_factory):
    """(full, slim): the stand-ins, made on the engine if they are not there."""
    folder = tmp_path_factory.mktemp("standin") / "wheelhouse"
    requirements = ROOT / "deploy/pypi_triton/requirements.txt"
    wheelhouse.fill(folder, requirements=requirements, python=STANDIN_PYTHON, machine="x86_64")
    buildkit = "0" if engine.client.builder == LEGACY else "1"
    environment = os.environ | {"DOCKER": str(engine.client.program), "DOCKER_BUILDKIT": buildkit}
    make = ROOT / "tests/image/standin/make.sh"
    done = subprocess.run([make, folder], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        unavailable(f"the stand-in base images cannot be made: {done.stderr[-500:]}")
    return STANDIN_FULL, STANDIN_SLIM


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A build tree made by hand, and the image name its context.json gives."""

    folder: Path
    image: str

    def change_model(self, text):
        (self.folder / "model_repository/echo/1/model.py").write_text(text)


@pytest.fixture(scope="session")
def make_tree(engine, bases, tmp_path_factory):
    """make_tree(runtime) -> Tree. The images it names are removed at the end."""
    made = []

    def make(runtime="slim"):
        folder = tmp_path_factory.mktemp("tree")
        image = f"triton-factory-test-{os.getpid()}:{runtime}-{len(made)}"
        made.append(image)
        docker = {"triton_image": bases[0], "slim_image": bases[1], "runtime": runtime, "python": STANDIN_PYTHON}
        write_tree(folder, image, docker)
        return Tree(folder=folder, image=image)

    yield make
    for image in made:
        engine.client.ask("rmi", "--force", image)


def write_tree(folder, image, docker):
    former = os.umask(0o077)  # as the strictest builder would have it
    try:
        write_golden(GOLDEN, folder)
        docker_context.write(folder, docker)
        pipeline = Pipeline(model_name="echo", max_batch_size=4, layout="none", inputs=(), outputs=(), steps=())
        labels = {
            "org.opencontainers.image.title": "echo",
            "triton-image-factory.labels": json.dumps(['a "b"\n$c', "д"]),
        }
        write_context(Context(pipeline=pipeline, image=image, device="cpu", docker=docker, oci_labels=labels), folder)
        (folder / "artifacts").mkdir()
        (folder / "artifacts/secret").write_text("stays here")
        write_repository(folder / "model_repository")
    finally:
        os.umask(former)


def write_repository(repository):
    for name, config in (("echo", ECHO_CONFIG), ("double", DOUBLE_CONFIG)):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(config)
    (repository / "echo/1/model.py").write_text(ECHO_MODEL)
    onnx.save(double(), repository / "double/1/model.onnx")
    for path in [repository, *repository.rglob("*")]:  # as the assembly does
        path.chmod(0o755 if path.is_dir() else 0o644)


def double():
    """y = x + x."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    x, y = (helper.make_tensor_value_info(name, kind, ["batch", 2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
