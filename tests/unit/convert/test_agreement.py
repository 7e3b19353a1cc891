import numpy as np
import pytest

from utils.convert.agreement import RULES


def rows(*values):
    return [np.array(value, dtype=np.float32) for value in values]


@pytest.mark.parametrize(
    ("rule", "expected", "found", "share"),
    [
        ("softmax", rows([2, 0], [0, 2]), rows([1, 0], [0, 9]), 1.0),
        ("softmax", rows([2, 0], [0, 2]), rows([0, 1], [0, 9]), 0.5),
        ("softmax", rows([0.1, 0.0]), rows([0, 1]), 1.0),  # PyTorch holds both as good as equal
        ("softmax", rows([[2, 0], [2, 0], [0, 2]], [[2, 0]]), rows([[2, 0], [0, 2], [0, 2]], [[2, 0]]), 0.75),
        ("sigmoid", rows([2, -2], [2, 2]), rows([1, -1], [-1, 1]), 0.75),
        ("sigmoid", rows([0.1, -2]), rows([-0.1, -1]), 1.0),
        ("none", rows([1], [2], [9]), rows([4], [5], [6]), 1.0),
        ("none", rows([1], [5], [9]), rows([5], [1], [9]), 2 / 3),
        ("none", rows([1], [1.5], [9]), rows([1.5], [1], [9]), 1.0),
        ("none", rows([1]), rows([2]), 1.0),
        ("cosine", rows([1, 0], [0, 1]), rows([2, 0], [1, 1]), 0.5**0.5),
    ],
)
def test_the_share_that_agrees(rule, expected, found, share):
    assert RULES[rule](expected, found).share == pytest.approx(share)


def test_the_drift_is_the_largest_of_probabilities():
    found = RULES["softmax"](rows([0, 0], [5, 5]), rows([0, 0], [5, 5 + np.log(3)]))
    assert found.drift == pytest.approx(0.25)
    assert str(found) == "same label 100%, drift 0.12 (median), 0.24 (95% of the texts), 0.25 (largest)"


@pytest.mark.parametrize(("rule", "most"), [("softmax", 0.5), ("sigmoid", 0.5), ("none", 8), ("cosine", 8)])
def test_the_drift_has_a_value_for_each_text(rule, most):
    """Of probabilities, or of values that are served as they are."""
    reference, reduced = rows([0, 0], [0, 0.0], [8, 0]), rows([0, 0], [0, 0.2], [0, 0])
    if rule == "cosine":
        reference, reduced = ([row + 0.1 for row in each] for each in (reference, reduced))
    found = RULES[rule](reference, reduced)
    assert found.drifts[0] == 0 < found.drifts[1] < found.drifts[2] == pytest.approx(most, rel=0.01)
    assert found.facts["drift_median"] == found.drifts[1]
    assert found.facts["drift_median"] < found.facts["drift_95"] < found.facts["drift"] == found.drifts[2]


def test_the_same_answers_agree_wholly():
    values = rows([0.3, -1, 2], [4, 1, 0])
    for rule in RULES.values():
        found = rule(values, values)
        assert (found.share, found.drift) == (pytest.approx(1), 0)
