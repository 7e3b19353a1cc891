"""The whole conversion on small models of each family, and every way it must refuse."""

import json
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest

from tests import tiny_models
from utils import ROOT
from utils.convert import exporter, tokenization
from utils.convert.conversion import convert, load_reference
from utils.convert.task import ConversionSpec
from utils.host.errors import ExportError, ParityError, SourceError
from utils.targets.releases import default_release, find_release
from utils.targets.target import Target
from utils.tasks import TASKS

TASK = TASKS["text-classification"]
SETTINGS = {"score_function": "softmax", "score_rule": "pipeline", "top_k": 1}


def spec_of(release=None, max_batch_size=8, max_length=None):
    target = Target(release=find_release(release or default_release()), max_length=max_length)
    return ConversionSpec(
        task=TASK, target=target, max_batch_size=max_batch_size, labels=tiny_models.LABELS, settings=SETTINGS
    )


def convert_folder(model, destination, *, tokenizer=None, **spec):
    return convert(model, tokenizer or model, destination, spec_of(**spec))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("bert") / "model")


@pytest.mark.parametrize(
    ("family", "inputs", "limit"),
    [
        ("bert", ["input_ids", "attention_mask", "token_type_ids"], 128),
        ("distilbert", ["input_ids", "attention_mask"], 128),
        ("roberta", ["input_ids", "attention_mask"], 512),
        ("xlm-roberta", ["input_ids", "attention_mask"], 512),
    ],
)
def test_families_keep_their_tensors_limit_and_answers(tmp_path, capfd, family, inputs, limit):
    model = tiny_models.FAMILIES[family](tmp_path / "model")
    conversion = convert_folder(model, tmp_path / "out")
    assert [tensor.name for tensor in conversion.graph.inputs] == inputs
    assert conversion.graph.outputs[0].dims == (3,)
    assert_fits(onnx.load(str(conversion.graph.path)), find_release(default_release()))
    reference, _, examples = load_reference(model, model, tmp_path / "reference", spec_of())
    assert reference.max_length == conversion.tokenizer.settings["max_length"] == limit
    logits = np.array([outputs["logits"] for outputs in reference.outputs])
    assert np.ptp(logits, axis=0).min() > 0.05, "golden texts must get different answers"
    assert conversion.examples == examples
    assert [example["text_input"] for example in examples] == list(reference.texts)
    assert reference.labels == tiny_models.LABELS
    progress = capfd.readouterr().err
    assert "max abs diff" in progress and "same choice 100.0%" in progress
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.onnx", "tokenizer.json"]


def assert_fits(graph, release):
    assert graph.opset_import[0].version == release.opset
    assert graph.ir_version <= release.max_ir


@pytest.mark.long("24.03")
@pytest.mark.parametrize("release", ["24.01", "24.03"])
def test_the_release_decides_opset_and_ir(tmp_path, bert, release):
    graph = onnx.load(str(convert_folder(bert, tmp_path, release=release).graph.path))
    assert_fits(graph, find_release(release))


def test_max_length_truncates_and_cannot_exceed_the_model(tmp_path, bert):
    conversion = convert_folder(bert, tmp_path / "short", max_length=16)
    assert conversion.tokenizer.settings["max_length"] == 16
    with pytest.raises(SourceError, match=r"200 tokens .*--max-length.* at most 128"):
        convert_folder(bert, tmp_path / "long", max_length=200)


def test_external_data_is_found_and_carried(tmp_path, bert, monkeypatch):
    """Above 2 GB the exporter writes external data; here it is made to for a small model."""
    clamp = exporter.clamp_ir

    def split(graph, release):
        model = onnx.load(str(graph))
        onnx.save(model, str(graph), save_as_external_data=True, location="model.onnx_data", size_threshold=1024)
        clamp(graph, release)

    monkeypatch.setattr(exporter, "clamp_ir", split)
    conversion = convert_folder(bert, tmp_path)
    assert conversion.graph.external_files == ("model.onnx_data",)
    assert (tmp_path / "model.onnx_data").stat().st_size > 10_000


def test_a_checkpoint_without_the_head_is_refused(tmp_path, bert):
    from transformers import AutoModel

    AutoModel.from_pretrained(bert).save_pretrained(tmp_path / "model")
    with pytest.raises(SourceError, match=r"lacks classifier\.bias.*fine-tuned for text-classification"):
        convert_folder(tmp_path / "model", tmp_path / "out", tokenizer=bert)


def test_a_tokenizer_without_pad_token_serves_single_texts_only(tmp_path, bert):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bert)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    with pytest.raises(SourceError, match=r"no pad token.*MAX_BATCH_SIZE 1"):
        convert_folder(bert, tmp_path / "out", tokenizer=tmp_path / "tokenizer")
    conversion = convert_folder(bert, tmp_path / "single", tokenizer=tmp_path / "tokenizer", max_batch_size=1)
    assert conversion.tokenizer.settings["padding"] is None


def test_a_type_the_exporter_lacks_is_named(tmp_path, bert):
    config = json.loads((bert / "config.json").read_text())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "marian"}))
    with pytest.raises(ExportError, match=r"'marian'.*bert"):
        convert_folder(folder, tmp_path / "out", tokenizer=bert)


def test_a_graph_that_answers_otherwise_is_fatal(tmp_path, bert, monkeypatch):
    clamp = exporter.clamp_ir

    def shift(graph, release):
        model = onnx.load(str(graph))
        bias = next(each for each in model.graph.initializer if each.name == "classifier.bias")
        values = onnx.numpy_helper.to_array(bias) + np.float32([0, 0.5, 0])
        bias.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), bias.name))
        onnx.save(model, str(graph))
        clamp(graph, release)

    monkeypatch.setattr(exporter, "clamp_ir", shift)
    with pytest.raises(ParityError, match=r"largest difference 0\.5.*nothing was built"):
        convert_folder(bert, tmp_path)


def test_a_tokenizer_frozen_wrongly_is_fatal(tmp_path, bert, monkeypatch):
    """A tokenizer.json that lost its lower-casing: plausible ids, other ids."""
    freeze = tokenization.freeze

    def lose_the_normalizer(tokenizer, destination, **limits):
        frozen = freeze(tokenizer, destination, **limits)
        content = json.loads(frozen.file.read_text(encoding="utf-8"))
        content["normalizer"] = None
        frozen.file.write_text(json.dumps(content), encoding="utf-8")
        return frozen

    monkeypatch.setattr(tokenization, "freeze", lose_the_normalizer)
    with pytest.raises(ParityError, match="the frozen tokenizer gives other input_ids than"):
        convert_folder(bert, tmp_path)


def test_runs_by_itself_and_imports_no_library_that_only_training_or_generation_needs(tmp_path, bert):
    """transformers 4 would import sklearn and scipy with every model, which takes a second."""
    program = [sys.executable, "-X", "importtime", str(ROOT / "utils/convert_to_onnx.py")]
    command = [*program, str(bert), str(bert), "-", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    imported = set(re.findall(r"(?m)^import time:.*\| +(\w+)$", done.stderr))
    assert "transformers" in imported and not {"sklearn", "scipy"} & imported
    assert done.stdout == f"{tmp_path / 'out' / 'model.onnx'}\n"
    labels = json.loads((tmp_path / "out/id2label.json").read_text())
    assert labels == {"0": "negative", "1": "neutral", "2": "positive"}
