"""Which exporter a model gets: by its type, by a setting that transformers 4 lacks, or by --exporter."""

import json

import pytest

from utils.host.errors import ExportError
from utils.sources.supported_types import BY_DYNAMO, OF_TEXTS, REFUSED, SUPPORTED, choose_exporter, converts
from utils.targets.exporters import DYNAMO, EXPORTERS, OPTIMUM

ROPE = {"rope_theta": 1e4, "rope_type": "default"}
SCALED = {"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}, "sliding_attention": ROPE}


def folder(place, **config):
    (place / "config.json").write_text(json.dumps(config))
    return place


@pytest.mark.parametrize(
    ("config", "exporter"),
    [
        ({"model_type": "bert"}, OPTIMUM),
        ({"model_type": "xlm-roberta", "transformers_version": "5.24.0"}, OPTIMUM),
        ({"model_type": "qwen3", "transformers_version": "5.24.0", "rope_parameters": ROPE}, OPTIMUM),
        ({"model_type": "eurobert"}, DYNAMO),
        ({"model_type": "gemma3_text"}, DYNAMO),
        ({"model_type": "modernbert_decoder"}, DYNAMO),
        ({"model_type": "modernbert", "rope_parameters": SCALED}, DYNAMO),
        ({"model_type": "gemma2", "use_bidirectional_attention": True}, DYNAMO),
        ({"model_type": "llama", "rope_parameters": {**ROPE, "partial_rotary_factor": 0.5}}, DYNAMO),
        ({"model_type": "bert", "transformers_version": "5.24.0", "key_of_nobody": 1}, OPTIMUM),
        ({"model_type": "modernbert", "transformers_version": "5.24.0", "initializer_cutoff_factor": 2.0}, OPTIMUM),
    ],
)
def test_the_checkpoint_decides(tmp_path, config, exporter):
    assert choose_exporter(folder(tmp_path, **config), "text-classification", None) == exporter


def test_a_key_that_only_version_5_knows_needs_it(tmp_path):
    """`head_dim` of ModernBERT is a field of transformers 5; in a file of version 4 nobody reads it."""
    config = {"model_type": "modernbert", "head_dim": 32}
    written = folder(tmp_path, **config, transformers_version="5.24.0")
    assert choose_exporter(written, "text-classification", None) == DYNAMO
    assert choose_exporter(folder(tmp_path, **config), "text-classification", None) == OPTIMUM


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_option_decides(tmp_path, exporter):
    assert choose_exporter(folder(tmp_path, model_type="bert"), "text-classification", exporter) == exporter


@pytest.mark.parametrize(
    ("model_type", "exporter", "words"),
    [
        ("eurobert", OPTIMUM, "exporter optimum cannot convert model type 'eurobert' .*; leave out --exporter: dynamo"),
        ("qwen3_moe", DYNAMO, "'qwen3_moe' cannot be served: transformers 5 computes its experts by a grouped product"),
        ("my-own", None, "the exporter cannot convert model type 'my-own' .*; it supports albert, .*eurobert"),
        ("longformer", None, "'longformer' cannot be served: its exported graph fails in ONNX Runtime"),
    ],
)
def test_a_type_that_is_not_converted_is_refused(tmp_path, model_type, exporter, words):
    with pytest.raises(ExportError, match=words):
        choose_exporter(folder(tmp_path, model_type=model_type), "text-classification", exporter)


def test_a_type_is_converted_by_another_exporter_than_one_that_cannot_serve_it():
    """qwen3_moe and mbart are dynamo's unservable types, and optimum's servable ones."""
    for name in ("qwen3_moe", "mbart"):
        assert name in REFUSED[DYNAMO]["text-classification"] and converts(OPTIMUM, name, "text-classification")


@pytest.mark.parametrize("export_task", sorted({*SUPPORTED, *OF_TEXTS} - {"question-answering"}))
def test_each_task_has_types_of_both_exporters(export_task):
    assert list(BY_DYNAMO[export_task]) == sorted(BY_DYNAMO[export_task])
    assert "eurobert" in BY_DYNAMO[export_task]


def test_question_answering_is_not_for_dynamo(tmp_path):
    words = (
        "dynamo is not for question-answering: transformers 5 has no pipeline for it, .*; leave out --exporter: optimum"
    )
    with pytest.raises(ExportError, match=words):
        choose_exporter(folder(tmp_path, model_type="bert"), "question-answering", DYNAMO)
    with pytest.raises(
        ExportError, match="cannot convert model type 'eurobert' for question-answering; it supports albert"
    ):
        choose_exporter(folder(tmp_path, model_type="eurobert"), "question-answering", None)
