"""--fusion: fused operators in the graph if it still agrees with PyTorch, else the graph as it was."""

from dataclasses import replace

import onnx
import pytest

from tests import tiny_models
from utils.convert import fused_graph, parity
from utils.convert.conversion import _export, load_reference
from utils.convert.task import ConversionSpec
from utils.host.errors import ExportError
from utils.targets.formats import GraphForm
from utils.targets.releases import default_release, find_release
from utils.targets.target import Target
from utils.tasks import TASKS

SPEC = ConversionSpec(
    task=TASKS["text-classification"],
    target=Target(release=find_release(default_release()), device="gpu", form=GraphForm(fusion="transformers")),
    max_batch_size=4,
    labels=tiny_models.LABELS,
    settings={"score_function": "softmax", "score_rule": "pipeline", "top_k": 1},
)


@pytest.fixture
def exported(tmp_path):
    """(graph, tokenizer, reference model) of a small BERT."""
    model = tiny_models.bert(tmp_path / "model")
    destination = tmp_path / "artifacts"
    destination.mkdir()
    reference, frozen, _ = load_reference(model, model, destination, SPEC)
    return _export(reference, destination, SPEC), frozen, reference


def operators(graph):
    return {node.op_type for node in onnx.load(str(graph.path)).graph.node}


def test_attention_is_one_operator_and_answers_stay(exported, capfd):
    graph, frozen, reference = exported
    assert "Attention" not in operators(graph)
    fused = fused_graph.with_fusion(*exported, SPEC)
    assert (fused.path, fused.inputs, fused.outputs) == (graph.path, graph.inputs, graph.outputs)
    assert {"Attention", "SkipLayerNormalization"} <= operators(fused)
    assert "fused operators: 1 EmbedLayerNormalization, 2 Attention" in capfd.readouterr().err
    result = parity.check_outputs(fused, frozen, reference.texts, reference.outputs, max_batch_size=4)
    assert result.max_difference < 1e-4
    assert not list(graph.path.parent.glob("fuse-*"))


def wrong(graph, made, _):
    """A fused graph with another weight, as from a pattern that does not fit."""
    model = onnx.load(str(graph.path))
    weight = next(each for each in model.graph.initializer if len(each.dims) == 2)
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 3, weight.name))
    onnx.save(model, str(made))
    return {"Attention": 1}


def unknown(graph, made, _):
    """A fused graph with an operator that ONNX Runtime does not have."""
    model = onnx.load(str(graph.path))
    next(node for node in model.graph.node if node.op_type == "Softmax").op_type = "Softest"
    onnx.save(model, str(made))
    return {"Attention": 1}


def failing(*_):
    raise ExportError("onnxruntime's optimizer fails on the graph: a pattern")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (wrong, "because the onnx graph and PyTorch differ"),
        (unknown, "because the onnx graph cannot be run on"),
        (failing, "because onnxruntime's optimizer fails on the graph: a pattern"),
        (lambda *_: {}, "because onnxruntime's optimizer finds nothing to fuse in it"),
    ],
)
def test_a_fusion_that_does_not_agree_is_left_out(exported, monkeypatch, capfd, made, words):
    monkeypatch.setattr(fused_graph, "fuse", made)
    before = exported[0].path.read_bytes()
    assert fused_graph.with_fusion(*exported, SPEC) == exported[0]
    assert exported[0].path.read_bytes() == before
    assert f"warning: --fusion transformers: the graph stays as it is, {words}" in capfd.readouterr().err


def test_without_the_option_nothing_is_done(exported, monkeypatch):
    monkeypatch.delattr(fused_graph, "fuse")
    plain = replace(SPEC, target=replace(SPEC.target, form=GraphForm()))
    assert fused_graph.with_fusion(*exported, plain) is exported[0]
