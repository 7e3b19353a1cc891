"""A GPU build whose precision a server measures before it is ready, by the supervisor and the real Triton.

No test machine has a GPU. The configs get KIND_CPU in place of KIND_GPU, ONNX Runtime's CPU provider (through the
stand-in backend, which ignores execution accelerators) computes the FP16 graph, and a damaged graph stands in for a GPU
that computes it incorrectly: its first row of a batch is right, the others are not. So a row alone, as the build's
golden answers, does not show it.
"""

import json
import re
import shutil

import onnx
import pytest
from onnx import TensorProto, helper

from tests import tiny_models
from tests.server.faults.supervised import lay_out_serving, supervised
from tests.server.task_requests import build
from utils.host.build_tree import BUILD
from utils.repository.check import parse_config

NAME = "test-agreement"
OPTIONS = ["--device", "gpu", "--engine", "tensorrt", "--precision", "fp16", "--no-verify", "--max-length", "32"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(model repository for a CPU, golden.json)."""
    folder = tmp_path_factory.mktemp("agreement")
    model = tiny_models.bert(folder / "bert")
    done = build(model, model, "-", NAME, "v1", 4, *OPTIONS)
    assert done.returncode == 0, done.stderr
    tree = BUILD / NAME / "v1"
    repository = shutil.copytree(tree / "model_repository", folder / "models")
    for config in repository.glob("*/config.pbtxt"):
        text = config.read_text()
        config.unlink()  # a link into the build tree
        config.write_text(text.replace("KIND_GPU", "KIND_CPU"))
    yield repository, shutil.copy(tree / "golden.json", folder)
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


def damage(file):
    """The logits of every row but the first get the opposite sign."""
    model = onnx.load(str(file))
    last = next(node for node in model.graph.node if "logits" in node.output)
    last.output[list(last.output).index("logits")] = "right"
    numbers = {"zero": 0, "one": 1, "first": [0]}
    for name, value in numbers.items():
        dims = [len(value)] if isinstance(value, list) else []
        values = value if isinstance(value, list) else [value]
        model.graph.initializer.append(helper.make_tensor(f"damage_{name}", TensorProto.INT64, dims, values))
    steps = [
        ("Shape", ["right"], "damage_shape", {}),
        ("Gather", ["damage_shape", "damage_zero"], "damage_rows", {}),
        ("Range", ["damage_zero", "damage_rows", "damage_one"], "damage_places", {}),
        ("Equal", ["damage_places", "damage_zero"], "damage_is_first", {}),
        ("Cast", ["damage_is_first"], "damage_number", {"to": TensorProto.INT64}),
        ("Add", ["damage_number", "damage_number"], "damage_twice", {}),
        ("Sub", ["damage_twice", "damage_one"], "damage_sign", {}),
        ("Cast", ["damage_sign"], "damage_float", {"to": TensorProto.FLOAT}),
        ("Unsqueeze", ["damage_float", "damage_column"], "damage_signs", {}),
        ("Mul", ["right", "damage_signs"], "logits", {}),
    ]
    model.graph.initializer.append(helper.make_tensor("damage_column", TensorProto.INT64, [1], [1]))
    model.graph.node.extend(helper.make_node(kind, taken, [output], **more) for kind, taken, output, more in steps)
    file.unlink()
    onnx.save(model, str(file))


def test_the_accelerator_is_in_the_graph_s_config_only(built):
    configs = {file.parent.name: parse_config(file) for file in built[0].glob("*/config.pbtxt")}
    (accelerator,) = configs["model_onnx"].optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    assert accelerator.parameters["precision_mode"] == "FP16"
    assert re.fullmatch(r"/opt/engines/\d\d\.\d\d-fp16-[0-9a-f]{16}", accelerator.parameters["trt_engine_cache_path"])
    assert [each.name for each in configs["model_onnx"].model_warmup] == ["16 tokens", "24 tokens", "32 tokens"]
    assert all(
        not config.HasField("optimization") and not config.model_warmup
        for name, config in configs.items()
        if name != "model_onnx"
    )


def test_a_server_that_agrees_becomes_ready(built, tmp_path):
    repository, golden = built
    serving = lay_out_serving(tmp_path / "opt", golden)
    with supervised(repository, serving, tmp_path) as server:
        server.wait_until_ready()
        assert "fp16 agrees with PyTorch on this device: 100%" in server.log_text()
        assert server.is_healthy()


def test_a_device_that_computes_incorrectly_is_never_ready(built, tmp_path):
    repository, golden = built
    harmed = shutil.copytree(repository, tmp_path / "models")
    damage(harmed / "model_onnx/1/model.onnx")
    serving = lay_out_serving(tmp_path / "opt", golden)
    with supervised(harmed, serving, tmp_path) as server:
        assert server.process.wait(60) == 1
        assert server.status() == 0
    found = re.search(r"fp16 does not agree with PyTorch on this device: ([0-9.]+)% in (\d+) golden", server.log_text())
    assert found, server.log_text()
    assert 20 < float(found[1]) < 80, "the first row of each batch agrees"
    assert int(found[2]) == len(json.loads((serving / "golden.json").read_text())["rows"])


def test_a_lower_limit_lets_it_start(built, tmp_path):
    repository, golden = built
    harmed = shutil.copytree(repository, tmp_path / "models")
    damage(harmed / "model_onnx/1/model.onnx")
    serving = lay_out_serving(tmp_path / "opt", golden)
    content = json.loads((serving / "golden.json").read_text())
    content["agreement"]["least"] = 0.1
    (serving / "golden.json").write_text(json.dumps(content))
    with supervised(harmed, serving, tmp_path) as server:
        server.wait_until_ready()
