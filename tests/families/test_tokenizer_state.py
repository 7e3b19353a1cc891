"""State of a tokenizer that tokenizer.json cannot carry: served as transformers does, or refused."""

import json

import numpy as np
import pytest

from tests import tiny_models
from tests.families import build
from tests.families.conversion import convert_folder, graph_logits, pipeline_logits
from utils.convert import tokenization
from utils.convert.probes import token_probes
from utils.host.errors import ParityError
from utils.repository.served_code import load_shared


def change(folder, **settings):
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **settings}), encoding="utf-8")
    return folder


def own_tokens(folder):
    from transformers import AutoTokenizer

    return token_probes(AutoTokenizer.from_pretrained(folder))


@pytest.mark.long("roberta", "llama")
@pytest.mark.parametrize("model_type", ["bert", "roberta", "llama", "xlm-roberta"])
def test_special_tokens_in_a_text_are_split_where_the_tokenizer_says_so(tmp_path, model_type):
    model = change(build.make_model(model_type, tmp_path / "model"), split_special_tokens=True)
    conversion = convert_folder(model, tmp_path / "out")
    texts = own_tokens(model)
    assert len(texts) >= 8
    assert np.abs(graph_logits(conversion, texts) - pipeline_logits(model, texts)).max() < 1e-4


@pytest.mark.parametrize("names", [["input_ids"], ["input_ids", "attention_mask"]])
def test_pairs_without_type_ids_where_the_tokenizer_leaves_them_out(tmp_path, names):
    """BERT then takes zeros for both texts; the template in the file says 1 for the second."""
    from transformers import AutoTokenizer

    folder = change(tiny_models.bert(tmp_path / "model"), model_input_names=names)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    frozen = tokenization.freeze(tokenizer, tmp_path / "frozen", max_length=64)
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    assert tokenization.check_parity(frozen, tokenizer, inputs, pairs=True) > 40
    served = load_shared("tokenization")
    fast = served.load_tokenizer(frozen.file, frozen.settings)
    assert not served.encode(fast, [("rain", "sun")], {"token_type_ids": "int64"})["token_type_ids"].any()


STATES = {
    "do_lower_case": {"do_lower_case": False},
    "clean_up_tokenization_spaces": {"clean_up_tokenization_spaces": True},
    "model_input_names": {"model_input_names": ["input_ids"]},
    "pad_to_multiple_of": {"pad_to_multiple_of": 8},
}


@pytest.mark.parametrize("case", STATES)
def test_a_setting_beside_tokenizer_json_is_followed_as_by_the_pipeline(tmp_path, case):
    """tokenizer.json lower-cases, and pads and truncates by rules that each call of transformers replaces."""
    folder = change(build.make_model("bert", tmp_path / "model"), **STATES[case])
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    padding = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": 8}
    content["padding"] = {**padding, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    content["truncation"] = {"direction": "Right", "max_length": 6, "strategy": "LongestFirst", "stride": 0}
    file.write_text(json.dumps(content), encoding="utf-8")
    conversion = convert_folder(folder, tmp_path / "out")
    texts = ["The Quick Brown fox", "the quick brown fox", "it 's a test , is n't it ?", "rain " * 9, "a"]
    answers = graph_logits(conversion, texts)
    assert np.abs(answers - pipeline_logits(folder, texts)).max() < 1e-4
    assert (np.abs(answers[0] - answers[1]).max() > 1e-3) == (case == "do_lower_case")


@pytest.mark.long("flags2", "flags0")
@pytest.mark.parametrize("flags", [{"lstrip": True}, {"rstrip": True}, {"single_word": True}, {"normalized": True}])
def test_flags_of_added_tokens_count_as_in_tokenizer_config(tmp_path, flags):
    """tokenizer.json and tokenizer_config.json disagree; transformers follows the latter."""
    from transformers import AddedToken, AutoTokenizer

    folder = build.make_model("bert", tmp_path / "model", vocab_size=600)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([AddedToken("Rain", normalized=False)])
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    added = next(each for each in content["added_tokens_decoder"].values() if each["content"] == "Rain")
    added.update(flags)
    file.write_text(json.dumps(content), encoding="utf-8")
    conversion = convert_folder(folder, tmp_path / "out")
    texts = ["the Rain falls", "Rain", "theRainfalls", "the rain falls", " Rain  Rain "]
    assert np.abs(graph_logits(conversion, texts) - pipeline_logits(folder, texts)).max() < 1e-4


def test_the_first_token_that_differs_is_named(tmp_path):
    from transformers import AutoTokenizer

    folder = change(tiny_models.bert(tmp_path / "model"), split_special_tokens=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    frozen = tokenization.freeze(tokenizer, tmp_path / "frozen", max_length=64)
    assert frozen.settings["split_special_tokens"] is True
    lost = tokenization.FrozenTokenizer(file=frozen.file, settings={**frozen.settings, "split_special_tokens": False})
    with pytest.raises(ParityError, match=r"gives other input_ids .*at position \d+ .* instead of"):
        tokenization.check_parity(lost, tokenizer, ("input_ids",))
