from pathlib import Path

import pytest

from utils import ROOT
from utils.convert.conversion import with_form
from utils.convert.exporters import open_exporter
from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments
from utils.repository.check import MODEL_FILES
from utils.repository.layouts import LAYOUTS
from utils.repository.pipeline import Graph
from utils.repository.steps import _by_position
from utils.repository.tensors import TensorSpec
from utils.targets.formats import FORMATS, GraphForm

TOKENS = TensorSpec(name="input_ids", dtype="INT64", dims=(-1,))
STATES = TensorSpec(name="last_hidden_state", dtype="FP32", dims=(-1, 32))
GRAPH = Graph(path=Path(), inputs=(TOKENS,), outputs=(STATES,))


@pytest.mark.parametrize("row", FORMATS.values(), ids=FORMATS)
def test_a_format_has_its_component_its_backend_and_its_file(row):
    config = (ROOT / "model_repository" / row.component / "config.pbtxt.template").read_text(encoding="utf-8")
    assert f'backend: "{row.backend}"' in config
    assert f'default_model_filename: "{row.file}"' in config
    assert MODEL_FILES[row.backend] == row.file
    assert set(row.layouts) <= set(LAYOUTS)
    for function in ("export_graph", "predict_graph", "open_session"):
        assert callable(getattr(open_exporter(row.name), function))


def test_a_backend_that_knows_positions_only_gets_names_of_positions():
    named, meant = _by_position("input", (TOKENS, TOKENS))
    assert [str(tensor) for tensor in named] == ["input__0 INT64 [-1]", "input__1 INT64 [-1]"]
    assert meant == {"input__0": "input_ids", "input__1": "input_ids"}


def test_a_form_is_applied_to_the_inputs_and_leaves_the_outputs_as_the_graph_has_them():
    """The C++ backend compares outputs exactly: tests/server/test_sequence_length.py."""
    applied = with_form(GRAPH, GraphForm(sequence_length=256, input_dtype="INT32"))
    assert [str(tensor) for tensor in (*applied.inputs, *applied.outputs)] == [
        "input_ids INT32 [256]",
        "last_hidden_state FP32 [-1, 32]",
    ]
    assert with_form(GRAPH, GraphForm()) == GRAPH


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--format", "tensorrt"), "onnx, torchscript"),
        (("--input-dtype", "int32"), "INT64, INT32"),
        (("--sequence-length", "0"), "--sequence-length"),
        (("--sequence-length", "8", "--max-length", "9"), "leave one of them out"),
        (("--format", "torchscript", "--layout", "fused"), "choose --layout ensemble"),
        (("--format", "torchscript", "--task", "question-answering"), "choose onnx"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(options, says):
    with pytest.raises(UsageError) as refusal:
        parse_arguments(["./model", "./model", "-", *options])
    assert says in str(refusal.value)


def test_a_ready_graph_has_the_form_it_has():
    with pytest.raises(UsageError, match="MODEL is a graph already"):
        parse_arguments(["./model.onnx", "-", "-", "--task", "logits", "--input-dtype", "INT32"])
