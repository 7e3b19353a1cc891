"""The call of the graph: in as many rows as it accepts, padded, in order; its errors fail the request."""

from types import SimpleNamespace

import numpy as np
import pytest

PADDING = {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"}
INPUTS = {"input_ids": "TYPE_INT64", "attention_mask": "TYPE_INT32"}


@pytest.fixture
def call(shared, pb_utils, words):
    """`call(texts, **settings)`: what the graph gave to each text, and the shapes of the calls it got.

    The graph gives each token's id, and the number of tokens of a row.
    """

    def make(texts, *, padding=PADDING, rows=3):
        calls = []

        def graph(arrays):
            calls.append(arrays)
            return {"ids": arrays["input_ids"] * 1.0, "count": arrays["attention_mask"].sum(axis=1, keepdims=True)}

        pb_utils.models["graph"] = graph
        settings = {"model": "graph", "max_batch_size": rows, "inputs": INPUTS, "padding": padding}
        ask = shared.graph_call.GraphCall({**settings, "outputs": {"ids": "TYPE_FP32", "count": "TYPE_INT32"}})
        return SimpleNamespace(answers=ask(words.encode_batch(texts)), calls=calls)

    return make


TEXTS = ["a b c d", "e", "f g", "h", "a b c", "", "b c"]


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_each_row_gets_its_own_answer(call, words, rows):
    done = call(TEXTS, rows=rows)
    for text, answer in zip(TEXTS, done.answers, strict=True):
        ids = words.encode(text).ids
        assert answer["ids"][: len(ids)].tolist() == ids
        assert set(answer["ids"][len(ids) :].tolist()) <= {PADDING["id"]}
        assert answer["count"].tolist() == [len(ids)]
    assert max(len(arrays["input_ids"]) for arrays in done.calls) == min(rows, len(TEXTS))
    assert sum(len(arrays["input_ids"]) for arrays in done.calls) == len(TEXTS)


def test_rows_of_similar_length_share_a_call(call):
    done = call(TEXTS, rows=3)
    assert [arrays["input_ids"].shape for arrays in done.calls] == [(3, 3), (3, 5), (1, 6)]
    assert {name: array.dtype for name, array in done.calls[0].items()} == {
        "input_ids": np.dtype(np.int64),
        "attention_mask": np.dtype(np.int32),
    }


def test_without_padding_each_row_is_a_call(call):
    assert [arrays["input_ids"].shape for arrays in call(TEXTS, padding=None).calls] == [
        (1, length) for length in (2, 3, 3, 4, 4, 5, 6)
    ]


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        ({}, "model 'graph' did not answer: no model 'graph'"),
        ({"graph": lambda _: "out of memory"}, "model 'graph' did not answer: out of memory"),
    ],
)
def test_a_failing_graph_is_reported_in_one_sentence(shared, pb_utils, words, models, sentence):
    pb_utils.models.update(models)
    settings = {"model": "graph", "max_batch_size": 2, "inputs": INPUTS, "outputs": {"ids": ""}, "padding": PADDING}
    with pytest.raises(ValueError, match=sentence):  # the class is that of the component's own module
        shared.graph_call.GraphCall(settings)(words.encode_batch(["a"]))
