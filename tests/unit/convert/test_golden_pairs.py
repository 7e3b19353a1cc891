from types import SimpleNamespace

import pytest

from utils.convert.golden_pairs import golden_pairs, request
from utils.proof.golden import TensorValue, texts
from utils.tasks import TASKS

TASK = TASKS["text-classification"]
LABELS = ("a", "b", "c")


@pytest.fixture
def conversion():
    """Of two golden texts, each with its answer, numbers in the place of labels."""
    ranked = ((("1", "2", "0"), (2.0, 1.0, 0.0)), (("0", "1", "2"), (3.0, 2.0, 1.0)))
    return SimpleNamespace(
        examples=({"text_input": "one"}, {"text_input": "помощь"}),
        answers=tuple(
            {"predicts": texts(labels), "scores": TensorValue(datatype="FP32", shape=(3,), data=scores)}
            for labels, scores in ranked
        ),
        references=(),
        graph=None,
        tolerance=1e-2,
    )


def test_a_pair_for_each_example(conversion):
    pairs = golden_pairs(TASK, conversion, 8, LABELS)
    assert [pair.inputs for pair in pairs] == [{"text_input": texts(["one"])}, {"text_input": texts(["помощь"])}]
    assert [pair.outputs["predicts"].data for pair in pairs] == [("b", "c", "a"), ("a", "b", "c")]
    assert [pair.outputs["scores"].data for pair in pairs] == [(2.0, 1.0, 0.0), (3.0, 2.0, 1.0)]


def test_pytorch_s_own_answers_have_the_labels_too(conversion):
    assert all(pair.reference == {} for pair in golden_pairs(TASK, conversion, 8, LABELS))
    conversion.references = conversion.answers[::-1]
    pairs = golden_pairs(TASK, conversion, 8, LABELS)
    assert [pair.reference["predicts"].data for pair in pairs] == [("a", "b", "c"), ("b", "c", "a")]


def test_an_answer_is_never_missing(conversion):
    conversion.answers = conversion.answers[:1]
    with pytest.raises(ValueError, match="shorter"):
        golden_pairs(TASK, conversion, 8, LABELS)


def test_an_example_is_the_tensors_of_one_row():
    assert request(TASK, {"text_input": "Hi", "candidates": ["a", "b", "c"]}) == {
        "text_input": TensorValue(datatype="BYTES", shape=(1,), data=("Hi",)),
        "candidates": TensorValue(datatype="BYTES", shape=(3,), data=("a", "b", "c")),
    }


@pytest.mark.parametrize(("labels", "length", "kept"), [(3, 5, 20), (4000, 13, 20), (12_000, 20, 7), (20_000, 1000, 2)])
def test_answers_of_many_labels_are_fewer(labels, length, kept):
    """The file they go to is read at every start and health check of an image."""
    names = tuple(str(number).rjust(length, "x") for number in range(labels))
    scores = TensorValue(datatype="FP32", shape=(labels,), data=(0.5,) * labels)
    answer = {"predicts": texts(list(map(str, range(labels)))), "scores": scores}
    examples = tuple({"text_input": str(number)} for number in range(20))
    conversion = SimpleNamespace(examples=examples, answers=(answer,) * 20, references=(), graph=None, tolerance=1e-3)
    pairs = golden_pairs(TASK, conversion, 8, names)
    numbers = [int(pair.inputs["text_input"].data[0]) for pair in pairs]
    assert len(numbers) == kept
    assert numbers == sorted(set(numbers))
