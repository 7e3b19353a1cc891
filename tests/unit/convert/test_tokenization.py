"""The served tokenization against AutoTokenizer, for texts and for pairs."""

import json

import numpy as np
import pytest

from tests import tiny_models
from utils.convert import tokenization
from utils.convert.probes import paired, probe_texts
from utils.convert.reference_model import tokenizer_arrays
from utils.host.errors import ParityError
from utils.repository.corpus import TOKENIZER_TEXTS
from utils.repository.served_code import load_shared

NAMES = ("input_ids", "attention_mask", "token_type_ids")
# Longer than what is tokenized first. The original takes seconds for two that are much longer: those stand beside "a".
LONGER = ["The quick brown fox, " * 300, "помогите мне " * 400, "x" * 9000]
LONG = ["The quick brown fox, " * 220, "помогите мне " * 340, "x" * 4500]


@pytest.fixture(scope="module", params=list(tiny_models.FAMILIES))
def tokenizer(request, tmp_path_factory):
    from transformers import AutoConfig

    folder = tiny_models.FAMILIES[request.param](tmp_path_factory.mktemp(request.param) / "model")
    return tokenization.load_tokenizer(folder, AutoConfig.from_pretrained(folder))


@pytest.fixture(scope="module")
def served():
    return load_shared("tokenization")


@pytest.mark.long("roberta-128", "bert-*", "distilbert-*", "xlm-roberta-None")
@pytest.mark.parametrize("max_length", [None, 127, 128])
def test_pairs_are_those_of_the_original(tokenizer, served, tmp_path, max_length):
    """Truncation is longest_first, that of transformers' pipelines."""
    frozen = tokenization.freeze(tokenizer, tmp_path, max_length=max_length)
    fast = served.load_tokenizer(frozen.file, frozen.settings)
    short = [*zip(TOKENIZER_TEXTS, reversed(TOKENIZER_TEXTS), strict=True), ("", ""), ("a", "a")]
    pairs = short + [(one, other) for one in LONG for other in (*LONG, "a")] + [("a", each) for each in LONG]
    pairs += [pair for each in LONGER for pair in ((each, "a"), ("a", each))] + [(LONGER[0], LONGER[2])]
    # The last batch mixes short and long pairs. The original takes a second for a few long ones.
    batches = [[pair] for pair in pairs] + [pairs[start : start + 5] for start in range(0, len(short), 5)]
    for batch in batches:
        expected = tokenizer_arrays(tokenizer, batch, max_length)
        arrays = served.encode(fast, batch, dict.fromkeys(NAMES, "int64"))
        for name in set(NAMES) & set(expected):
            np.testing.assert_array_equal(arrays[name], expected[name], err_msg=f"{name} {batch[0]!r:.200}")


@pytest.mark.parametrize("pairs", [False, True])
def test_the_check_counts_what_it_compared(tokenizer, tmp_path, pairs):
    frozen = tokenization.freeze(tokenizer, tmp_path, max_length=32)
    corpus = (*TOKENIZER_TEXTS, *probe_texts(tokenizer, 32))
    texts = [text for text in corpus if pairs or tokenizer(text)["input_ids"]]
    assert tokenization.check_parity(frozen, tokenizer, NAMES[:2], pairs=pairs) == len(texts)


def test_a_pair_joined_wrongly_is_seen(tmp_path):
    """The frozen file loses what joins two texts; each alone is as it was."""
    from transformers import AutoConfig

    folder = tiny_models.bert(tmp_path / "model")
    tokenizer = tokenization.load_tokenizer(folder, AutoConfig.from_pretrained(folder))
    frozen = tokenization.freeze(tokenizer, tmp_path / "frozen", max_length=32)
    content = json.loads(frozen.file.read_text(encoding="utf-8"))
    tokens = {"[CLS]": 2, "[SEP]": 3}
    special = {name: {"id": name, "ids": [number], "tokens": [name]} for name, number in tokens.items()}
    first = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
             {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]  # fmt: skip
    second = [{"Sequence": {"id": "B", "type_id": 1}}]
    content["post_processor"] = {
        "type": "TemplateProcessing", "single": first, "pair": first + second, "special_tokens": special
    }  # fmt: skip
    frozen.file.write_text(json.dumps(content), encoding="utf-8")
    assert tokenization.check_parity(frozen, tokenizer, NAMES) > 40
    with pytest.raises(ParityError, match="the frozen tokenizer gives other"):
        tokenization.check_parity(frozen, tokenizer, NAMES, pairs=True)


def test_a_tokenizer_that_finds_nothing_in_a_pair_is_not_asked_it(tmp_path):
    """One without special tokens: the served code refuses the pair of two empty texts, and so it is left out."""
    from transformers import PreTrainedTokenizerFast

    plain = tiny_models.byte_level_bpe()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", model_max_length=64)
    frozen = tokenization.freeze(tokenizer, tmp_path, max_length=64)
    count = tokenization.check_parity(frozen, tokenizer, ("input_ids",), pairs=True)
    texts = (*TOKENIZER_TEXTS, *probe_texts(tokenizer, 64))
    assert count == sum(bool(tokenizer(*pair)["input_ids"]) for pair in paired(texts))
