"""Logits to scores and labels. Expected values come from double precision or from a hand, not from the code."""

import math
import warnings

import numpy as np
import pytest

LABELS = [b"a", b"b", "в".encode()]


@pytest.fixture(autouse=True)
def _numpy_warnings_are_errors():
    """An overflow is an error even if the result is right."""
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        yield


def fp32(*rows):
    return np.array(rows, dtype=np.float32)


def test_softmax(shared):
    scores = shared.scoring.softmax(fp32([math.log(1), math.log(2), math.log(5)], [0, 0, 0]))
    np.testing.assert_allclose(scores, [[0.125, 0.25, 0.625], [1 / 3] * 3], rtol=1e-6)
    assert scores.dtype == np.float32


@pytest.mark.parametrize("shift", [1e4, -1e4, 1e30, -1e30])
def test_softmax_of_large_logits(shared, shift):
    np.testing.assert_allclose(shared.scoring.softmax(fp32([shift, shift])), [[0.5, 0.5]])


def test_softmax_of_logits_far_apart(shared):
    np.testing.assert_allclose(shared.scoring.softmax(fp32([3e38, 0, -3e38 / 100])), [[1, 0, 0]])


@pytest.mark.parametrize("logit", [-1e30, -1000, -87, -30, -20, -12, -5, -1, 0, 1, 5, 20, 1000, 1e30])
def test_sigmoid_keeps_the_precision_of_small_scores(shared, logit):
    # In double precision, the branch that does not overflow.
    expected = 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
    (score,) = shared.scoring.sigmoid(fp32([logit]))[0]
    assert score == pytest.approx(expected, rel=1e-5)


def test_sigmoid_keeps_the_order_of_unlikely_labels(shared):
    predicts, _ = shared.scoring.best(fp32([-30, -18, -25]), "sigmoid", LABELS, 3)
    assert predicts.tolist() == [[LABELS[1], LABELS[2], LABELS[0]]]


def test_sigmoid_scores_are_independent(shared):
    np.testing.assert_allclose(shared.scoring.sigmoid(fp32([2, 2, -2]))[0], [0.880797, 0.880797, 0.119203], atol=1e-6)


def test_none_returns_the_logits(shared):
    _, scores = shared.scoring.best(fp32([-3.5, 1e20, 0.25]), "none", LABELS, 3)
    assert scores.tolist() == [[np.float32(1e20), 0.25, -3.5]]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_k_best_are_sorted(shared, k):
    predicts, scores = shared.scoring.best(fp32([0, 2, 1], [5, 3, 4]), "none", LABELS, k)
    assert predicts.tolist() == [[LABELS[1], LABELS[2], LABELS[0]][:k], [LABELS[0], LABELS[2], LABELS[1]][:k]]
    assert scores.tolist() == [[2, 1, 0][:k], [5, 4, 3][:k]]
    assert (predicts.dtype, scores.dtype) == (np.object_, np.float32)


@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none"])
def test_of_equal_scores_the_lower_index_comes_first(shared, function):
    labels = [f"{index}".encode() for index in range(40)]  # long enough for an unstable sort to show
    logits = np.zeros((1, 40), dtype=np.float32)
    logits[0, 20] = 1
    predicts, _ = shared.scoring.best(logits, function, labels, 40)
    assert predicts[0].tolist() == [b"20", *(label for label in labels if label != b"20")]


def test_a_single_label(shared):
    predicts, scores = shared.scoring.best(fp32([-7.5], [3]), "none", [b"score"], 1)
    assert predicts.tolist() == [[b"score"], [b"score"]]
    assert scores.tolist() == [[-7.5], [3]]


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_a_graph_of_another_precision_gives_fp32_scores(shared, dtype):
    _, scores = shared.scoring.best(np.array([[10, 0, 0]], dtype=dtype), "softmax", LABELS, 1)
    assert scores.dtype == np.float32
    assert scores[0, 0] == pytest.approx(1 / (1 + 2 * math.exp(-10)), abs=1e-6)
