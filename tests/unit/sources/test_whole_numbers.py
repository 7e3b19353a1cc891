import json

import pytest

from tests import tiny_models
from utils.convert.reference_model import load_config
from utils.convert.tokenization import load_tokenizer
from utils.host.errors import SourceError
from utils.sources.model_config import read_model_config
from utils.sources.requirements import SourceRequirements
from utils.sources.sentence_folder import read_sentence_folder
from utils.sources.tokenizer_files import read_tokenizer_files
from utils.sources.whole_numbers import whole


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("models") / "bert", positions=64)


@pytest.fixture
def folder(saved, tmp_path):
    for file in saved.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def change(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("value", "number"), [(64, 64), (64.0, 64), ("64", 64), (" 64 ", 64), (None, None), (1e30, int(1e30))]
)
def test_whole_numbers_of_any_type_are_read(tmp_path, value, number):
    found = whole(value, tmp_path / "a.json", "key")
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize("value", [64.5, "64.5", "many", "", True, [64], float("nan"), float("inf")])
def test_other_values_are_refused_with_file_and_key(tmp_path, value):
    with pytest.raises(SourceError, match=r"a\.json' has key "):
        whole(value, tmp_path / "a.json", "key")


@pytest.mark.parametrize("value", [64.0, "64"])
@pytest.mark.parametrize("key", ["max_position_embeddings", "num_hidden_layers", "pad_token_id", "type_vocab_size"])
def test_numbers_in_config_json_can_have_another_type(folder, key, value):
    before = read_model_config(folder).longest_text
    change(folder / "config.json", **{key: value})
    found = getattr(load_config(folder), key)
    assert (found, type(found)) == (64, int)
    assert read_model_config(folder).longest_text == before


@pytest.mark.parametrize("key", ["max_position_embeddings", "hidden_size"])
def test_other_values_in_config_json_are_refused(folder, key):
    change(folder / "config.json", **{key: "many"})
    with pytest.raises(SourceError, match=rf"config\.json' has {key} 'many'"):
        load_config(folder)


def test_the_positions_are_checked_early(folder):
    change(folder / "config.json", max_position_embeddings="many")
    with pytest.raises(SourceError, match="has max_position_embeddings 'many'"):
        read_model_config(folder)


def test_fractions_and_words_of_other_keys_are_kept(folder):
    change(folder / "config.json", hidden_dropout_prob=0.25, hidden_act="gelu_new", num_hidden_layers=1.0)
    config = load_config(folder)
    assert (config.hidden_dropout_prob, config.hidden_act, config.num_hidden_layers) == (0.25, "gelu_new", 1)


@pytest.mark.parametrize("value", [64.0, "64"])
def test_the_tokenizer_s_limit_can_have_another_type(folder, value):
    change(folder / "tokenizer_config.json", model_max_length=value)
    limit = load_tokenizer(folder, load_config(folder)).model_max_length
    assert (limit, type(limit)) == (64, int)


def test_an_invalid_limit_is_refused(folder):
    change(folder / "tokenizer_config.json", model_max_length=64.5)
    for read in (
        lambda: read_tokenizer_files(folder, SourceRequirements()),
        lambda: load_tokenizer(folder, load_config(folder)),
    ):
        with pytest.raises(SourceError, match=r"tokenizer_config\.json' has model_max_length 64\.5"):
            read()


@pytest.mark.parametrize("value", [96.0, "96"])
def test_the_limit_of_sentence_transformers_is_read(tmp_path, value):
    """It was ignored once: texts were truncated at the model's limit, and embeddings differed."""
    (tmp_path / "modules.json").write_text(
        json.dumps([{"path": "", "type": "m.Transformer"}, {"path": "1_Pooling", "type": "m.Pooling"}])
    )
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": value}))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 8}))
    assert read_sentence_folder(tmp_path).max_length == 96
