"""The comparison of rankings where labels are many or equal."""

import time
from random import Random

import pytest

from deploy.supervisor.comparison import difference


def ranking(pairs):
    labels, scores = zip(*pairs, strict=True)
    return {
        "predicts": {"datatype": "BYTES", "shape": [len(labels)], "data": labels},
        "scores": {"datatype": "FP32", "shape": [len(labels)], "data": scores},
    }


def compared(expected, served, tolerance=1e-3):
    return difference(ranking(expected), ranking(served), comparison="ranking", tolerance=tolerance)


@pytest.mark.parametrize("same", [False, True], ids=["20,000 labels", "20,000 equal labels"])
def test_a_ranking_is_compared_in_linear_time(same):
    """The canary of an image does this every few seconds; a quadratic comparison takes minutes here."""
    size = 20_000
    names = [f"concept {0 if same else number} {'x' * 200}" for number in range(size)]
    pairs = list(zip(names, [1 - number / size for number in range(size)], strict=True))
    started = time.process_time()
    assert compared(pairs, pairs) == 0.0
    assert time.process_time() - started < 2


@pytest.mark.parametrize("seed", range(20))
def test_the_nearest_golden_score_of_a_label_counts(seed):
    """Against the rule as it is written: the smallest distance among all golden scores of the served label."""
    random = Random(seed)
    pairs = sorted(((random.choice("abc"), random.random()) for _ in range(8)), key=lambda pair: -pair[1])
    label, best = random.choice(pairs)[0], pairs[0][1]
    right = min(abs(score - best) for name, score in pairs if name == label)
    assert compared(pairs, [(label, best)], tolerance=1.0) == pytest.approx(right)


@pytest.mark.parametrize("label", [None, ["a"], {"base64": "/w=="}, 3])
def test_a_label_that_is_no_text_is_a_wrong_answer(label):
    with pytest.raises(ValueError, match=r"where 'a' 0\.9 is right"):
        compared([("a", 0.9)], [(label, 0.9)])
