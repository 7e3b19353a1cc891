"""Certain and uncertain faults; the table of damages is in tests/bad_input."""

import json

import pytest

from tests.small_files import TOKENIZER
from utils.host.errors import SourceError
from utils.sources.requirements import SourceRequirements
from utils.sources.tokenizer_files import SLOW_ONLY, WITHOUT_PAD, read_tokenizer_files

BATCHES = SourceRequirements(max_batch_size=4)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    return tmp_path


def write(folder, name, content):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "xlm-roberta"])
def test_the_vocabulary_size_equals_transformers(family, tmp_path):
    from transformers import AutoTokenizer

    from tests import tiny_models

    folder = tiny_models.FAMILIES[family](tmp_path / "model")
    assert read_tokenizer_files(folder, BATCHES).vocabulary == len(AutoTokenizer.from_pretrained(folder))


@pytest.mark.parametrize(
    ("content", "vocabulary"),
    [
        (TOKENIZER, 3),
        ({**TOKENIZER, "added_tokens": [{"id": 9, "content": "<x>"}]}, 10),
        ({"model": {"vocab": [["a", 0.0], ["b", -1.0]]}}, 2),
        ({"model": {"type": "of the future"}}, None),
    ],
)
def test_the_largest_id_of_a_whole_file(folder, content, vocabulary):
    write(folder, "tokenizer.json", content)
    assert read_tokenizer_files(folder, BATCHES).vocabulary == vocabulary


@pytest.mark.parametrize(
    ("files", "vocabulary"),
    [
        ({"vocab.txt": "[PAD]\n[UNK]\na\n"}, 3),
        ({"vocab.txt": "[PAD]\n[UNK]\na"}, 3),
        ({"vocab.json": {"a": 0, "b": 1}, "added_tokens.json": {"<x>": 5}}, 6),
        ({"sentencepiece.bpe.model": "bytes"}, None),
    ],
)
def test_the_largest_id_of_parts(tmp_path, files, vocabulary):
    for name, content in files.items():
        write(tmp_path, name, content)
    assert read_tokenizer_files(tmp_path, BATCHES).vocabulary == vocabulary


@pytest.mark.parametrize(
    ("config", "special", "padding"),
    [
        ({"tokenizer_class": "BertTokenizerFast"}, {}, None),
        ({"tokenizer_class": "GPT2TokenizerFast", "pad_token": "<pad>"}, {}, None),
        ({"tokenizer_class": "GPT2Tokenizer"}, {"pad_token": {"content": "<pad>"}}, None),
        ({"tokenizer_class": "PreTrainedTokenizerFast"}, {}, {"pad_token": "<pad>"}),
        ({"tokenizer_class": "OfTheFuture"}, {}, None),
        ({}, {}, None),
        ({"pad_token": None}, {}, None),
    ],
)
def test_existing_and_possible_pad_tokens_are_accepted(folder, config, special, padding):
    write(folder, "tokenizer.json", {**TOKENIZER, "padding": padding})
    write(folder, "tokenizer_config.json", config)
    write(folder, "special_tokens_map.json", special)
    read_tokenizer_files(folder, BATCHES)


@pytest.mark.parametrize(
    "config", [{"tokenizer_class": f"{name}{kind}"} for name in WITHOUT_PAD.split()[:4] for kind in ("", "Fast")]
    + [{"tokenizer_class": "BertTokenizer", "pad_token": None}],
)  # fmt: skip
def test_missing_pad_tokens_are_refused(folder, config):
    write(folder, "tokenizer_config.json", config)
    with pytest.raises(SourceError, match=r"has no pad token.*or build with MAX_BATCH_SIZE 1"):
        read_tokenizer_files(folder, BATCHES)
    read_tokenizer_files(folder, SourceRequirements(max_batch_size=1))


def test_a_slow_class_with_a_tokenizer_json_is_accepted(folder):
    write(folder, "tokenizer_config.json", {"tokenizer_class": "EsmTokenizer"})
    read_tokenizer_files(folder, BATCHES)
    (folder / "tokenizer.json").rename(folder / "vocab.txt")
    with pytest.raises(SourceError, match="EsmTokenizer has no fast form"):
        read_tokenizer_files(folder, BATCHES)


def test_the_tables_equal_transformers():
    import inspect

    import transformers
    from transformers.convert_slow_tokenizer import SLOW_TO_FAST_CONVERTERS

    for name in SLOW_ONLY.split():
        assert name not in SLOW_TO_FAST_CONVERTERS
        assert not hasattr(transformers, f"{name}Fast")
    for name in WITHOUT_PAD.split():
        fast = getattr(transformers, f"{name}Fast")
        default = inspect.signature(fast.__init__).parameters.get("pad_token")
        assert default is None or default.default is None, name
