"""The rule "sparse" for comparing a served answer with the golden one."""

import math

import pytest

from deploy.supervisor.comparison import difference


def sparse(weights, padding=0):
    """The tensors of {id: weight}, filled as in a batch."""
    ids, values = [*weights, *[-1] * padding], [*weights.values(), *[0.0] * padding]
    return {
        "indices": {"datatype": "INT64", "shape": [len(ids)], "data": ids},
        "weights": {"datatype": "FP32", "shape": [len(ids)], "data": values},
    }


def compare(expected, answer):
    return difference(expected, answer, comparison="sparse", tolerance=1e-3)


@pytest.mark.parametrize(
    ("expected", "answer", "size"),
    [
        ({3: 0.5, 9: 1.5}, {3: 0.5, 9: 1.5}, 0),
        ({3: 0.5, 9: 1.5}, {3: 0.5004, 9: 1.5}, 4e-4),
        ({3: 0.5}, {3: 0.5, 7: 0.0003}, 3e-4),  # hardly above zero
        ({3: 0.5, 7: 0.0003}, {3: 0.5}, 3e-4),
        ({3: 0.5, 7: 0.2}, {3: 0.5, 8: 0.2002}, 2e-4),  # equal ones at the limit of --top-k
        ({}, {}, 0),
    ],
)
def test_what_agrees(expected, answer, size):
    assert compare(sparse(expected), sparse(answer, padding=2)) == pytest.approx(size, abs=1e-9)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({3: 0.5}, "the weight of indices 9 is missing where 1.5 is right"),
        ({3: 0.5, 9: 1.6}, "indices 9 is 1.6 where 1.5 is right"),
        ({3: 0.5, 8: 1.5}, "indices 8 is 1.5 where missing is right"),
        ({3: math.nan, 9: 1.5}, "indices 3 is nan"),
        ({3: 0.5, 9: 1.5, 12: 0.1}, "indices 12 is 0.1 where missing is right"),
    ],
)
def test_what_differs_is_reported(answer, message):
    with pytest.raises(ValueError, match=message):
        compare(sparse({3: 0.5, 9: 1.5}), sparse(answer))


def test_an_answer_of_other_tensors_is_wrong():
    right = sparse({3: 0.5})
    uneven = {**right, "weights": {"datatype": "FP32", "shape": [2], "data": [0.5, 0.5]}}
    with pytest.raises(ValueError, match="1 indices and 2 weights"):
        compare(right, uneven)
    with pytest.raises(ValueError, match="the answer lacks weights"):
        compare(right, {"indices": right["indices"]})
    texts = {**right, "indices": {"datatype": "INT64", "shape": [1], "data": ["3"]}}
    with pytest.raises(ValueError, match="where a number is right"):
        compare(right, texts)
