"""Conversions by the exporter dynamo: in a process with transformers 5, and with its answers."""

import json
import os
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import onnx
import pytest

from tests.families.conversion import spec_of
from tests.in_version_5 import printed_by
from utils import ROOT
from utils.convert import exporter_process, tokenization
from utils.convert.onnx.exported_graph import onnx_session, take_int32
from utils.convert.onnx.quantize import reduced
from utils.host.errors import ExportError, ParityError, SourceError
from utils.sources.model_config import read_model_config
from utils.sources.supported_types import choose_exporter
from utils.targets.exporters import DYNAMO
from utils.targets.formats import GraphForm
from utils.targets.releases import default_release, find_release, with_opset
from utils.tasks import TASKS

TASK = TASKS["text-classification"]
IS_LONG = os.environ.get("WALK_ALL") == "1"
PLAIN = {"rope_theta": 1e4, "rope_type": "default"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small EuroBERT as transformers 5 saves it; transformers 4 does not know the type.

    Published ones name their former code, which is not run.
    """
    folder = tmp_path_factory.mktemp("eurobert") / "model"
    printed_by("tests.families.by_dynamo", "--write", folder, "AutoModelForSequenceClassification", "eurobert")
    config = json.loads((folder / "config.json").read_text())
    code = {"AutoModelForSequenceClassification": "modeling_eurobert.EuroBertForSequenceClassification"}
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": code}))
    return folder


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


@pytest.mark.parametrize(("reducer", "tolerance"), [("to_int8", 0.1), ("to_fp16", 1e-2)])
def test_the_graph_can_be_reduced(conversion, tmp_path, reducer, tolerance):
    """--precision int8 and fp16: most of its numbers in fewer bits."""
    file = tmp_path / "model.onnx"
    shutil.copy(conversion.graph.path, file)
    made = reduced(replace(conversion.graph, path=file), reducer, find_release(default_release()))
    assert made.path.stat().st_size < 0.7 * conversion.graph.path.stat().st_size
    feed = {name: np.ones((2, 9), np.int64) for name in ("input_ids", "attention_mask")}
    before, after = (onnx_session(each).run(None, feed)[0] for each in (conversion.graph.path, made.path))
    np.testing.assert_allclose(after, before, atol=tolerance)


def test_the_graph_can_take_int32(conversion, tmp_path):
    """--input-dtype INT32."""
    file = tmp_path / "model.onnx"
    shutil.copy(conversion.graph.path, file)
    take_int32(file)
    answers = [
        onnx_session(each).run(None, {name: np.ones((2, 9), dtype) for name in ("input_ids", "attention_mask")})[0]
        for each, dtype in ((conversion.graph.path, np.int64), (file, np.int32))
    ]
    np.testing.assert_array_equal(*answers)


def test_a_dry_run_tells_the_tensors(model, conversion):
    config = replace(read_model_config(model), exporter=DYNAMO)
    predicted = exporter_process.predict(config, TASK, GraphForm())
    assert predicted.inputs == conversion.graph.inputs
    assert predicted.outputs == conversion.graph.outputs


@pytest.mark.long
def test_settings_that_transformers_4_lacks_are_converted(tmp_path):
    """Scaled angles of ModernBERT. With WALK_ALL=1 its vocabulary makes the graph larger than 2 GB."""
    angles = {"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}, "sliding_attention": PLAIN}
    sizes = {"vocab_size": 1_100_000, "hidden_size": 512} if IS_LONG else {}
    changes = json.dumps({"rope_parameters": angles, **sizes})
    folder, auto_class = tmp_path / "model", "AutoModelForSequenceClassification"
    printed_by("tests.families.by_dynamo", "--write", folder, auto_class, "modernbert", changes)
    assert choose_exporter(folder, "text-classification", None) == DYNAMO
    made = exporter_process.convert(folder, folder, tmp_path / "out", spec_of(folder, exporter=DYNAMO))
    assert made.parity["largest_difference"] < (1e-3 if IS_LONG else 1e-4)  # logits of a wider model are larger
    assert bool(made.graph.external_files) == IS_LONG
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) > (2.2e9 if IS_LONG else 0)


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
