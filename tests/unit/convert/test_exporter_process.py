"""Conversions by the exporter dynamo: in a process with transformers 5, and with its answers."""

import subprocess
from dataclasses import replace

import numpy as np
import onnx
import pytest

from tests.families.conversion import spec_of
from tests.in_version_5 import printed_by
from utils import ROOT
from utils.convert import exporter_process, tokenization
from utils.convert.onnx.exported_graph import onnx_session
from utils.host.errors import ExportError, ParityError, SourceError
from utils.sources.model_config import read_model_config
from utils.targets.exporters import DYNAMO
from utils.targets.formats import GraphForm
from utils.targets.releases import with_opset
from utils.tasks import TASKS

TASK = TASKS["text-classification"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small EuroBERT as transformers 5 saves it; transformers 4 does not know the type."""
    place = tmp_path_factory.mktemp("eurobert")
    printed_by("tests.families.by_dynamo", "--write", place, "eurobert")
    return place / "eurobert"


@pytest.fixture(scope="module")
def conversion(model, tmp_path_factory):
    return exporter_process.convert(model, model, tmp_path_factory.mktemp("out"), spec_of(model, exporter=DYNAMO))


def test_the_conversion_comes_back_whole(conversion):
    assert conversion.graph.path.is_file() and conversion.tokenizer.file.is_file()
    assert [str(tensor) for tensor in conversion.graph.inputs] == ["input_ids INT64 [-1]", "attention_mask INT64 [-1]"]
    assert len(conversion.answers) == len(conversion.examples) > 5
    assert conversion.parity["largest_difference"] < 1e-4


def test_the_graph_names_no_path_and_no_fixed_size(conversion):
    graph = onnx.load(conversion.graph.path)
    assert str(ROOT).encode() not in conversion.graph.path.read_bytes()
    assert b"site-packages" not in conversion.graph.path.read_bytes()
    for value in graph.graph.input:
        assert [size.dim_param for size in value.type.tensor_type.shape.dim] == ["batch_size", "sequence_length"]
    session = onnx_session(conversion.graph.path)
    for shape in ((1, 1), (4, 9)):
        logits = session.run(None, {name: np.ones(shape, np.int64) for name in ("input_ids", "attention_mask")})[0]
        assert logits.shape == (shape[0], 3)


def test_a_dry_run_tells_the_tensors(model, conversion):
    config = replace(read_model_config(model), exporter=DYNAMO)
    predicted = exporter_process.predict(config, TASK, GraphForm())
    assert predicted.inputs == conversion.graph.inputs
    assert predicted.outputs == conversion.graph.outputs


def test_an_error_of_the_process_keeps_its_class(model, tmp_path):
    spec = spec_of(model, exporter=DYNAMO)
    old = replace(spec, target=replace(spec.target, release=with_opset(spec.target.release, 17)))
    with pytest.raises(ExportError, match="--exporter dynamo writes opset 18 or newer, and --opset is 17"):
        exporter_process.convert(model, model, tmp_path / "old", old)
    (tmp_path / "config.json").write_text((model / "config.json").read_text())
    with pytest.raises(SourceError, match="no tokenizer can be loaded"):
        exporter_process.convert(tmp_path, tmp_path, tmp_path / "out", spec)


def test_a_process_that_ends_is_an_error(model, tmp_path, monkeypatch):
    """The stand-in for a process that was killed, as for lack of memory."""
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda _, **settings: run(["false"], **settings))
    with pytest.raises(ExportError, match="ended with status 1 and without a result; if the machine is short"):
        exporter_process.convert(model, model, tmp_path, spec_of(model, exporter=DYNAMO))


def test_other_ids_of_the_images_tokenizers_are_an_error(conversion):
    batches = [(("rain",), {"input_ids": np.array([[7, 7, 7]])})]
    with pytest.raises(ParityError, match="the frozen tokenizer gives other input_ids than transformers 5 for 'rain'"):
        tokenization.compare_batches(
            conversion.tokenizer, batches, ("input_ids",), "transformers 5", lambda batch, *_: repr(batch[0][0])
        )
