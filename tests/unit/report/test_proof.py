"""The golden requests of a report: shortened for people, with all numbers for the plot."""

import json
from dataclasses import replace

import pytest

from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, texts
from utils.proof.served import ServedRow
from utils.report import proof

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def of(finished, inputs, expected, served=None, **changes):
    """The section for one request; `served` is the golden answer by default."""
    row = GoldenRow(model="m", batched=True, inputs=inputs, outputs=expected)
    golden = GoldenAnswers(rows=(row,), comparison="tensors")
    return proof.make(
        finished(golden=golden, served=(ServedRow(outputs=served or expected, difference=0.0),), **changes)
    )


def test_expected_and_served_answers_stand_side_by_side(finished):
    (request,) = proof.make(finished()).requests
    assert [each.values for each in request.expected][1] == ("0.75", "0.25")
    assert [each.values for each in request.served][1] == ("0.75", "0.25")
    assert request.difference == 1e-7


def test_the_pairs_hold_every_number_as_it_is(finished):
    assert proof.make(finished()).pairs == ((0.75, 0.7500001), (0.25, 0.2499999))


def test_numbers_in_documents_count(finished):
    expected, served = ({"entities": texts([json.dumps([{"score": score, "word": "1"}])])} for score in (0.5, 0.6))
    made = of(finished, {"x": texts(["a"])}, expected, served)
    assert made.pairs == ((0.5, 0.6),)
    assert made.requests[0].expected[0].values == ("score 0.5, word 1",)


def test_long_answers_and_texts_are_shortened(finished):
    vector = TensorValue(datatype="FP32", shape=(384,), data=(0.5,) * 384)
    made = of(finished, {"x": texts(["a" * 5000])}, {"embeddings": vector})
    (request,) = made.requests
    assert (len(request.expected[0].values), request.expected[0].count) == (proof.SHOWN_VALUES, 384)
    assert request.inputs[0].values[0].endswith("… (5000 characters)")
    assert made.pairs == ((0.5, 0.5),), "equal pairs are one point"


def test_many_numbers_are_sampled_and_the_worst_one_stays(finished):
    numbers = tuple(float(number) for number in range(5000))
    worst = (*numbers[:-2], -1.0, numbers[-1])
    expected, served = ({"y": TensorValue(datatype="FP32", shape=(5000,), data=data)} for data in (numbers, worst))
    pairs = of(finished, {"x": texts(["a"])}, expected, served).pairs
    assert len(pairs) <= proof.SHOWN_PAIRS + 1
    assert (4998.0, -1.0) in pairs


@pytest.mark.parametrize(
    ("content", "start"), [(PNG, "data:image/png;base64,iVBOR"), (b"\xff\xfe", ""), (PNG * 1000, "")]
)
def test_small_pictures_are_shown(finished, content, start):
    shown = of(finished, {"image": texts([content])}, {"y": texts(["b"])}).requests[0].inputs[0]
    assert shown.picture.startswith(start) and bool(shown.picture) == bool(start)
    assert shown.values == (f"{len(content)} bytes",)


def test_a_text_is_never_a_picture(finished):
    uri = "data:image/svg+xml,<svg onload='alert(1)'/>"
    shown = of(finished, {"x": texts([uri])}, {"y": texts(["b"])}).requests[0].inputs[0]
    assert (shown.picture, shown.values) == ("", (uri,))


def test_without_a_proof_nothing_is_called_served(finished):
    made = proof.make(finished(served=(), record={}))
    assert not made.is_proven
    assert made.requests[0].served == () and made.requests[0].difference is None
    assert [each.value for each in proof.figures(made)] == ["not proven"]
    assert proof.drawn(made) == {}


def test_the_plots_are_drawn_from_the_section_alone(finished):
    made = proof.make(finished())
    assert {name: each[:4] for name, each in proof.drawn(made).items()} == {"parity": "<svg", "differences": "<svg"}
    assert set(proof.drawn(replace(made, pairs=()))) == {"differences"}


@pytest.mark.parametrize(
    ("text", "values"),
    [("[]", ()), ('[{"a": 1}, {"a": 2.5}]', ("a 1", "a 2.5")), ("[1, 2]", ("[1, 2]",)), ("{x", ("{x",))],
)
def test_a_list_of_objects_is_one_value_for_each(finished, text, values):
    (request,) = of(finished, {"x": texts([text])}, {"y": texts([text])}).requests
    (shown,) = request.expected
    assert (shown.values, shown.count) == (values, len(values))
    assert request.inputs[0].values == (text,), "a request is a text, whatever it looks like"
