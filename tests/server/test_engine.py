"""--engine openvino: built by one command, served by the real Triton; and its session alone, where it serves."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests import tiny_models
from tests.selection import mostly_long
from tests.server.task_requests import ask, build
from tests.small_graphs import FLOAT, constant, node, save, tensor
from utils import ROOT
from utils.convert.engine_session import engine_session
from utils.host import environment
from utils.host.build_tree import BUILD
from utils.host.environments import SERVING
from utils.host.errors import ExportError
from utils.repository.corpus import GOLDEN_TEXTS
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec

NAME = "test-engine"
FLAGS = Path("/proc/cpuinfo").read_text().split()
HAS_BF16 = "avx512_bf16" in FLAGS or "amx_bf16" in FLAGS
TASKS = {"text-classification": "scores", "feature-extraction": "embedding"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module", params=mostly_long(TASKS, "text-classification"))
def served(request, model, serve_repository):
    """The server, and what each engine's model says to the golden texts, one at a time."""
    task = request.param
    answers, servers = {}, {}
    for engine in ("onnxruntime", "openvino"):
        name = f"{NAME}-{task}-{engine}"
        done = build(model, model, "-", name, "v1", 8, "--task", task, "--layout", "fused", "--engine", engine)
        assert done.returncode == 0, done.stderr
        assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
        servers[engine] = serve_repository(BUILD / name / "v1/model_repository")
        address = servers[engine].address
        answers[engine] = [
            ask("http", address, name, {"text_input": [[text]]})[TASKS[task]][0] for text in GOLDEN_TEXTS
        ]
    yield servers["openvino"].address, f"{NAME}-{task}-openvino", TASKS[task], answers
    for engine in answers:
        shutil.rmtree(BUILD / f"{NAME}-{task}-{engine}", ignore_errors=True)


def test_both_engines_answer_alike(served):
    *_, answers = served
    np.testing.assert_allclose(answers["openvino"], answers["onnxruntime"], atol=1e-5)


@pytest.mark.parametrize("size", [2, 3, 7, 8])
def test_texts_together_get_their_own_answers(served, size):
    address, name, output, answers = served
    for start in range(0, len(GOLDEN_TEXTS), size):
        texts = GOLDEN_TEXTS[start : start + size]
        together = ask("grpc", address, name, {"text_input": [[text] for text in texts]})[output]
        np.testing.assert_allclose(together, answers["openvino"][start : start + size], atol=1e-5)


def test_bf16_is_guarded_and_served(model, serve_repository):
    """On a CPU that computes in it; on another the build says that it was not measured, and FP32 is served."""
    done = build(model, model, "-", NAME, "v1", 8, "--engine", "openvino", "--precision", "bf16", "--no-cache")
    assert done.returncode == 0, done.stderr
    measured = r"bf16 against PyTorch on [2-9]\d texts: same label"
    message = measured if HAS_BF16 else "this machine's CPU does not compute in bf16"
    assert re.search(message, done.stderr)
    log = (BUILD / NAME / "v1/server.log").read_text()
    shutil.rmtree(BUILD / NAME, ignore_errors=True)
    assert ("openvino: BF16 changes numbers by up to" if HAS_BF16 else "openvino: this CPU does not") in log


def test_too_little_agreement_builds_nothing(model):
    """Where it can be measured: elsewhere the server computes in FP32, which agrees."""
    options = ["--task", "feature-extraction", "--engine", "openvino", "--precision", "bf16", "--min-agreement", "1"]
    done = build(model, model, "-", NAME, "v1", 8, *options)
    assert done.returncode == (5 if HAS_BF16 else 0), done.stderr
    if HAS_BF16:
        assert "bf16 does not agree with PyTorch: cosine similarity of at least 9" in done.stderr.splitlines()[-1]
        assert (done.stdout, (BUILD / NAME).exists()) == ("", False)
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


# What the session of model_repository/shared does with a graph that sums the ids of each row.
SESSION = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import openvino_session as module
rows = np.arange(1, 61, dtype=np.float32).reshape(5, 12)
settings = {"graph_outputs": ["y"], "token_budget": 24, "padding": {}, "max_length": 20, "precision": "bf16"}
"""
SETTLED = """
module.has_bf16 = lambda core: True
module.BF16_TOLERANCE = float(sys.argv[3])
session = module.GraphSession(sys.argv[2], settings)
session.is_padded = False
session.warm([{"x": rows / 7}])
print(json.dumps(session.precision))
"""
SHAPES = """
session = module.GraphSession(sys.argv[2], {**settings, "precision": "fp32"})
shapes = []
run = session._run
session._run = lambda feed, compiled: shapes.append(feed["x"].shape) or run(feed, compiled)
outputs = session.run([{"x": rows[:3]}, {"x": rows}, {"x": rows[:1, :8]}])
print(json.dumps({"batches": session.batches([3, 9, 19, 40, 8]), "rows": [len(each[0]) for each in outputs],
                  "sums": [each[0].ravel().tolist() for each in outputs]}))
"""


def session(snippet, *arguments):
    """What a snippet prints that is run in the environment that serves."""
    command = [environment.ensure(SERVING), "-c", SESSION + snippet, ROOT / "model_repository/shared", *arguments]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture
def sums(tmp_path):
    nodes = [node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)]
    free = [tensor("x", FLOAT, ["batch", "tokens"])]
    return save(
        tmp_path / "model.onnx", nodes, free, [tensor("y", FLOAT, ["batch", 1])], [constant("axes", [1], "int64")]
    )


def test_shapes_are_few_and_rows_their_own(sums):
    """Lengths are rounded up to multiples of 8 but not above the limit; rows are filled up and cut off again."""
    message, _ = session(SHAPES, sums)
    assert message["batches"] == [[[3], 40], [[2], 20], [[1, 4], 16], [[0], 8]]
    rows = np.arange(1, 61, dtype=np.float32).reshape(5, 12)
    assert message["sums"] == [rows[:3].sum(1).tolist(), rows.sum(1).tolist(), [rows[0, :8].sum()]]


@pytest.mark.parametrize(("tolerance", "precision"), [("-1", "f32"), ("1", "bf16")])
def test_bf16_stays_where_it_agrees(sums, tolerance, precision):
    message, log = session(SETTLED, sums, tolerance)
    assert message == precision
    assert f"allowed {float(tolerance)}: {precision}" in log


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_build_can_run_what_serves(sums, engine):
    graph = Graph(
        path=sums,
        inputs=(TensorSpec(name="x", dtype="FP32", dims=(-1,)),),
        outputs=(TensorSpec(name="y", dtype="FP32", dims=(1,)),),
    )
    if engine == "onnxruntime":
        with pytest.raises(ExportError, match="cannot run the graph"), engine_session(graph, engine, "fp32"):
            pass
        return
    with engine_session(graph, engine, "f32") as ask_graph:
        for rows in (1, 3, 9):
            (output,) = ask_graph({"x": np.ones((rows, 4), np.float32)})
            assert output.tolist() == [[4.0]] * rows
    with engine_session(graph, engine, "fp8") as ask_graph:
        assert ask_graph is None
