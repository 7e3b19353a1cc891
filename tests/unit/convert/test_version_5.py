"""Which version of transformers wrote a checkpoint, and what its own answers are compared with."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests import tiny_models
from utils.convert import reference_model, tokenization, version_5
from utils.host.errors import ParityError, SourceError
from utils.tasks import TASKS

TASK = TASKS["text-classification"]
TEXTS = ("The quick brown fox", "I would like my money back, please.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small model whose files say that transformers 5 wrote them; version 5 reads all of them."""
    place = tiny_models.roberta(tmp_path_factory.mktemp("writer") / "model")
    say(place, transformers_version="5.24.0")
    return place


def say(folder, name="config.json", **settings):
    file = folder / name
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **settings}), encoding="utf-8")


@pytest.fixture(scope="module")
def loaded(folder):
    config = reference_model.load_config(folder)
    tokenizer, model = tokenization.load_tokenizer(folder, config), reference_model.load_model(folder, config, TASK)
    outputs = reference_model.pytorch_outputs(model, tokenizer, TEXTS, 64, names=TASK.graph_outputs)
    return reference_model.ReferenceModel(
        model=model, tokenizer=tokenizer, max_length=64, labels=(), texts=TEXTS, outputs=tuple(outputs)
    )


def test_the_answers_of_the_writer_are_compared(folder, loaded, capfd):
    version_5.check(folder, folder, loaded, TASK, {})
    assert "answers of transformers 5.24.0: ids of" in capfd.readouterr().err


def test_another_answer_of_the_writer_is_an_error(folder, loaded):
    other = replace(loaded, outputs=tuple({"logits": row["logits"] + np.float32(0.01)} for row in loaded.outputs))
    with pytest.raises(ParityError, match=r"logits for 'The quick.*differ by 0\.01 between version 5\.24\.0 and"):
        version_5.check(folder, folder, other, TASK, {})


def test_a_key_that_version_4_does_not_read_is_named(folder, loaded):
    other = replace(loaded, outputs=tuple({"logits": -row["logits"]} for row in loaded.outputs))
    say(folder, attention_of_tomorrow=3)
    with pytest.raises(ParityError, match=r"version 4 does not read attention_of_tomorrow in config\.json"):
        version_5.check(folder, folder, other, TASK, {})


@pytest.mark.long
def test_other_ids_of_the_writer_are_an_error(folder, loaded):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["brown"])
    with pytest.raises(ParityError, match=r"'The quick brown fox.*other ids from version 5\.24\.0 .*first at position"):
        version_5.check(folder, folder, replace(loaded, tokenizer=tokenizer), TASK, {})


@pytest.mark.parametrize(
    ("config", "tokenizer", "newest"),
    [
        ({"transformers_version": "4.57.6"}, {}, "4.57.6"),
        ({}, {}, "4"),
        ({"transformers_version": "5.0.0"}, {}, "5.0.0"),
        ({"rope_parameters": {"rope_theta": 1.0}}, {}, "5"),
        ({"text_config": {"rope_parameters": {"rope_theta": 1.0}}}, {}, "5"),
        ({"transformers_version": "4.57.6"}, {"tokenizer_class": "TokenizersBackend"}, "5"),
        ({"transformers_version": "4.57.6"}, {"backend": "tokenizers"}, "5"),
    ],
)
def test_the_files_say_who_wrote_them(tmp_path, config, tokenizer, newest):
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    assert version_5.written_by(tmp_path, tmp_path) == newest


def test_a_version_that_nothing_here_can_load_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"transformers_version": "6.1.0"}', encoding="utf-8")
    with pytest.raises(SourceError, match=r"written by transformers 6\.1\.0, and this factory knows versions up to 5"):
        version_5.written_by(tmp_path, tmp_path)


def test_a_newer_sentence_transformers_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    file = tmp_path / "config_sentence_transformers.json"
    file.write_text('{"__version__": {"sentence_transformers": "6.2.0"}}', encoding="utf-8")
    assert version_5.written_by(tmp_path, tmp_path) == "4"
    file.write_text('{"__version__": {"sentence_transformers": "7.0.1"}}', encoding="utf-8")
    with pytest.raises(SourceError, match=r"written by sentence-transformers 7\.0\.1, .* versions up to 6"):
        version_5.written_by(tmp_path, tmp_path)
