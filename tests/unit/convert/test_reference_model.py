"""What transformers itself says: limits, arrays of texts and of pairs, outputs by name."""

import numpy as np
import pytest

from tests import tiny_models
from utils.convert import reference_model
from utils.host.errors import SourceError
from utils.tasks import TASKS

TASK = TASKS["text-classification"]
PAIR = ("the lazy dog", "помогите")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    from transformers import AutoTokenizer

    folder = tiny_models.bert(tmp_path_factory.mktemp("bert") / "model")
    return reference_model.load_model(folder, reference_model.load_config(folder), TASK), AutoTokenizer.from_pretrained(
        folder
    )


def test_roberta_positions_lose_those_that_padding_takes(tmp_path):
    model = tiny_models.roberta(tmp_path / "model")
    config = reference_model.load_config(model)
    assert reference_model._positions(reference_model.load_model(model, config, TASK)) == 512


def test_texts_and_pairs_become_what_the_tokenizer_gives(bert):
    _, tokenizer = bert
    texts = reference_model.tokenizer_arrays(tokenizer, ["the dog", "a"], 128)
    assert texts["input_ids"].shape[0] == 2
    assert not texts["token_type_ids"].any()
    pairs = reference_model.tokenizer_arrays(tokenizer, [PAIR, ("a", "b")], 128)
    alone = tokenizer(*PAIR)
    count = len(alone["input_ids"])
    assert pairs["input_ids"][0][:count].tolist() == alone["input_ids"]
    assert pairs["token_type_ids"][0][:count].tolist() == alone["token_type_ids"]
    assert pairs["token_type_ids"].any()


def test_a_pair_is_cut_where_it_is_longest(bert):
    _, tokenizer = bert
    arrays = reference_model.tokenizer_arrays(tokenizer, [("dog " * 50, "fox")], 16)
    assert arrays["input_ids"].shape == (1, 16)
    assert arrays["token_type_ids"][0].sum() == len(tokenizer("fox")["input_ids"]) - 1


def test_the_outputs_that_are_asked_for_without_their_batch(bert):
    model, tokenizer = bert
    model.config.output_hidden_states = False
    rows = reference_model.pytorch_outputs(model, tokenizer, ["the dog", PAIR], 128, names=("logits",))
    assert [list(row) for row in rows] == [["logits"], ["logits"]]
    assert [(row["logits"].shape, row["logits"].dtype) for row in rows] == [((3,), np.float32)] * 2
    (swapped,) = reference_model.pytorch_outputs(model, tokenizer, [PAIR[::-1]], 128, names=("logits",))
    assert (swapped["logits"] != rows[1]["logits"]).any()


def test_an_output_that_the_model_does_not_have_is_reported(bert):
    model, tokenizer = bert
    with pytest.raises(SourceError, match=r"'the dog'.*AttributeError.*end_logits"):
        reference_model.pytorch_outputs(model, tokenizer, ["the dog"], 128, names=("end_logits",))


def test_type_ids_of_pairs_are_heeded(bert):
    """A model on pairs: its answer changes without them, even if texts alone would not show it."""
    model, tokenizer = bert

    def reference_of(*texts):
        rows = reference_model.pytorch_outputs(model, tokenizer, texts, 128, names=("logits",))
        return reference_model.ReferenceModel(
            model=model, tokenizer=tokenizer, max_length=128, labels=(), texts=texts, outputs=tuple(rows)
        )

    assert reference_model.uses_type_ids(reference_of(PAIR))
    model.bert.embeddings.token_type_embeddings.weight.data.zero_()
    assert not reference_model.uses_type_ids(reference_of(PAIR))


def test_which_texts_have_tokens(bert):
    _, tokenizer = bert
    assert reference_model.has_tokens(tokenizer, [""])  # special tokens
    assert reference_model.has_tokens(lambda *texts: {"input_ids": [text for text in texts if text]}, [("", "b"), "a"])
    assert not reference_model.has_tokens(
        lambda *texts: {"input_ids": [text for text in texts if text]}, ["a", ("", "")]
    )
