"""The forms a checkpoint comes in: precision, shards, heads; and long texts."""

import json

import numpy as np
import pytest

from tests import tiny_models
from tests.families import build
from tests.families.conversion import convert_folder, golden_logits, pipeline_logits
from utils.host.errors import ParityError, SourceError


def save_again(folder, **settings):
    """The same model written another way; returns the new folder."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    dtype = settings.pop("dtype", "float32")
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype)
    again = folder.parent / "again"
    model.save_pretrained(again, **settings)
    AutoTokenizer.from_pretrained(folder).save_pretrained(again)
    return again


@pytest.mark.long("bert-bfloat16", "llama-bfloat16")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("model_type", ["bert", "llama"])
def test_half_precision_is_served_as_fp32(tmp_path, model_type, dtype):
    model = save_again(build.make_model(model_type, tmp_path / "model"), dtype=dtype)
    assert json.loads((model / "config.json").read_text())["dtype"] == dtype
    conversion = convert_folder(model, tmp_path / "out")
    expected = pipeline_logits(model, conversion.reference.texts)
    assert np.abs(golden_logits(conversion) - expected).max() < 1e-5


def test_shards_are_read(tmp_path):
    model = save_again(build.make_model("roberta", tmp_path / "model"), max_shard_size="20KB")
    assert len(list(model.glob("model-*.safetensors"))) > 2
    convert_folder(model, tmp_path / "out")


def test_a_missing_shard_is_reported(tmp_path):
    model = save_again(build.make_model("roberta", tmp_path / "model"), max_shard_size="20KB")
    next(model.glob("model-00002-*.safetensors")).unlink()
    with pytest.raises(SourceError, match=r"cannot be loaded.*model-00002"):
        convert_folder(model, tmp_path / "out")


@pytest.mark.long("distilbert-*multi_label*", "gpt2-*regression*")
@pytest.mark.parametrize(
    ("labels", "problem_type"),
    [
        (tiny_models.LABELS, "single_label_classification"),
        (("toxic", "insult", "threat", "spam"), "multi_label_classification"),
        (("stars",), "regression"),
    ],
)
@pytest.mark.parametrize("model_type", ["distilbert", "gpt2"])
def test_heads(tmp_path, model_type, labels, problem_type):
    model = build.make_model(model_type, tmp_path / "model", labels=labels, problem_type=problem_type)
    conversion = convert_folder(model, tmp_path / "out")
    assert conversion.graph.outputs[0].dims == (len(labels),)
    assert np.abs(golden_logits(conversion) - pipeline_logits(model, conversion.reference.texts)).max() < 1e-5


def test_modernbert_takes_8192_tokens(tmp_path):
    from transformers import AutoTokenizer

    from utils.convert import parity

    settings = {"max_position_embeddings": 8192, "local_attention": 16, "num_attention_heads": 1}
    model = build.make_model("modernbert", tmp_path / "model", **settings)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.model_max_length = 8192
    tokenizer.save_pretrained(model)
    conversion = convert_folder(model, tmp_path / "out")
    assert conversion.reference.max_length == 8192
    text = "the lazy dog jumps " * 180
    expected = pipeline_logits(model, [text], max_length=8192)
    answered = parity._answering(conversion.graph, conversion.tokenizer)([text])["logits"]
    assert np.abs(answered - expected).max() < 1e-4


def test_a_tokenizer_with_more_tokens_than_the_model_is_reported(tmp_path):
    model = build.make_model("bert", tmp_path / "model", vocab_size=40)
    with pytest.raises(SourceError, match=r"PyTorch fails on .*IndexError"):
        convert_folder(model, tmp_path / "out")


def test_a_tokenizer_of_documents_is_reported(tmp_path):
    model = build.make_model("roberta", tmp_path / "model")
    tokenizer = build.make_tokenizer("layoutlmv3", tmp_path / "tokenizer")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    with pytest.raises(SourceError, match="LayoutLMv3TokenizerFast"):
        convert_folder(model, tmp_path / "out", tokenizer=tmp_path / "tokenizer")


def test_a_graph_that_cannot_run_is_reported(tmp_path, monkeypatch):
    from utils.convert import exporter

    model = build.make_model("bert", tmp_path / "model")
    monkeypatch.setattr(exporter, "open_session", lambda graph: (_ for _ in ()).throw(RuntimeError("no such operator")))
    with pytest.raises(ParityError, match=r"cannot be run on .*no such operator"):
        convert_folder(model, tmp_path / "out")
