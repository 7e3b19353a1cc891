"""Texts made from a tokenizer, and what a difference between two tokenizers is shown as."""

import json

import numpy as np
import pytest

from tests import tiny_models
from utils.convert import tokenization
from utils.convert.probes import (
    LONGEST_LIMIT,
    LONGEST_OF_PAIR,
    first_difference,
    length_texts,
    model_texts,
    paired,
    token_texts,
)
from utils.host.errors import ParityError

NAMES = ("input_ids", "attention_mask")


@pytest.fixture(scope="module", params=["bert", "roberta", "xlm-roberta"])
def tokenizer(request, tmp_path_factory):
    return load(request.param, tmp_path_factory.mktemp("probes") / "model")


def load(family, folder):
    from transformers import AutoConfig

    tiny_models.FAMILIES[family](folder)
    return tokenization.load_tokenizer(folder, AutoConfig.from_pretrained(folder))


def test_special_and_added_tokens_stand_in_a_users_text(tokenizer):
    tokenizer.add_tokens(["<brand>"])
    texts = token_texts(tokenizer)
    for token in (*tokenizer.all_special_tokens, "<brand>"):
        assert any(f" {token} " in text for text in texts) and any(f"{token}x" in text for text in texts)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("limit", [8, 100])
def test_texts_are_one_below_at_and_one_above_the_limit(tokenizer, limit):
    lengths = [len(tokenizer(text)["input_ids"]) for text in length_texts(tokenizer, limit)]
    assert lengths == [limit - 1, limit, limit + 1]
    assert set(length_texts(tokenizer, limit)) < set(model_texts(tokenizer, limit))


@pytest.mark.parametrize("limit", [None, LONGEST_LIMIT + 1])
def test_without_a_limit_there_is_no_text_around_it(tokenizer, limit):
    assert length_texts(tokenizer, limit) == ()


def test_the_model_is_not_run_around_a_high_limit(tokenizer):
    assert model_texts(tokenizer, 512) == token_texts(tokenizer)


def frozen_otherwise(tokenizer, folder, change):
    """Frozen, with one change to tokenizer.json."""
    frozen = tokenization.freeze(tokenizer, folder, max_length=32)
    content = json.loads(frozen.file.read_text(encoding="utf-8"))
    change(content)
    frozen.file.write_text(json.dumps(content), encoding="utf-8")
    return frozen


def test_an_added_token_that_the_file_lost_is_seen(tmp_path):
    """Of added tokens no fixed text knows; the message shows where the tokens part, and both."""
    tokenizer = load("bert", tmp_path / "model")
    tokenizer.add_tokens(["<brand>"])
    frozen = frozen_otherwise(tokenizer, tmp_path / "frozen", lambda content: content["added_tokens"].pop())
    with pytest.raises(ParityError, match=r"at position \d+ \d+ \('.*'\) instead of \d+ \('<brand>'\)"):
        tokenization.check_parity(frozen, tokenizer, NAMES)


def test_a_token_that_strips_spaces_only_in_the_original_is_seen(tmp_path):
    from tokenizers import AddedToken

    tokenizer = load("roberta", tmp_path / "model")
    tokenizer.add_tokens([AddedToken("<brand>", lstrip=True)])

    def change(content):
        content["added_tokens"][-1]["lstrip"] = False

    frozen = frozen_otherwise(tokenizer, tmp_path / "frozen", change)
    with pytest.raises(ParityError, match=r"'rain <brand>.*: at position \d+ .* instead of .*most likely"):
        tokenization.check_parity(frozen, tokenizer, NAMES)


@pytest.mark.parametrize(
    ("found", "right", "message"),
    [
        ([[2, 7, 3]], [[2, 7, 9]], "at position 2 3 ('[SEP]') instead of 9"),
        ([[2, 7, 3, 0]], [[2, 7, 3]], "at position 3 0 ('[PAD]') instead of no token"),
        ([[2, 7]], [[2, 7], [2, 7]], "1 rows instead of 2"),
    ],
)
def test_the_first_difference_is_shown_and_never_two_equal_lists(tmp_path, found, right, message):
    tokenizer = load("bert", tmp_path / "model")
    shown = first_difference(tokenizer, ["one", "two"], "input_ids", np.array(found), np.array(right))
    assert message in shown


def test_a_difference_beyond_the_first_tokens_and_the_first_row(tmp_path):
    tokenizer = load("bert", tmp_path / "model")
    found = np.tile(np.arange(5, 45), (2, 1))
    right = found.copy()
    right[1, 30] = 77
    shown = first_difference(tokenizer, ["one", "two"], "input_ids", found, right)
    assert shown.startswith("'two': at position 30 35 (") and "instead of 77" in shown


def test_two_long_texts_are_never_paired():
    """The pair of the two would take gigabytes of memory to cut."""
    long = "x" * (LONGEST_OF_PAIR + 1)
    assert paired(["b", long, long, "c"]) == (("b", "c"), (long, "a"), (long, "a"), ("c", "b"))
    assert paired([long, "b"]) == ((long, "b"), ("b", long))
