"""The comparison of rankings: labels with their scores, best first."""

import math
from collections import Counter
from random import Random

import pytest

from deploy.supervisor.comparison import difference

NAN, INF = math.nan, math.inf


def ranking_of(labels, scores):
    return {
        "predicts": {"datatype": "BYTES", "shape": [len(labels)], "data": list(labels)},
        "scores": {"datatype": "FP32", "shape": [len(scores)], "data": list(scores)},
    }


def ranking(expected, answer, tolerance=1e-3):
    """The difference of two rankings, each (labels, scores)."""
    return difference(ranking_of(*expected), ranking_of(*answer), comparison="ranking", tolerance=tolerance)


RANKED = (("c", "b", "a"), (0.6, 0.3, 0.1))


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        ((("c",), (0.6,)), 0.0),
        ((("c", "b"), (0.6, 0.3)), 0.0),
        (RANKED, 0.0),
        ((("c", "b"), (0.6004, 0.3)), 4e-4),
        ((("c", "b"), (0.6, 0.2991)), 9e-4),
    ],
)
def test_an_answer_may_have_the_first_labels_only(answer, size):
    assert ranking(RANKED, answer) == pytest.approx(size, abs=1e-9)


def test_outputs_may_have_any_order_and_any_names():
    expected, answer = ranking_of(*RANKED), ranking_of(["c"], [0.6])
    renamed = {"p": expected["scores"], "label": expected["predicts"]}
    served = {"label": answer["predicts"], "p": answer["scores"]}
    assert difference(renamed, served, comparison="ranking", tolerance=1e-3) == 0.0
    with pytest.raises(ValueError, match="label, p"):
        difference(renamed, answer, comparison="ranking", tolerance=1e-3)


@pytest.mark.parametrize(
    "answer",
    [
        (("a",), (0.6,)),
        (("b",), (0.3,)),
        (("c",), (0.5,)),
        (("c",), (0.6011,)),
        (("C",), (0.6,)),
        (("unknown",), (0.6,)),
        ((b"c",), (0.6,)),
        (("c",), (NAN,)),
        (("c",), (INF,)),
        (("c",), (None,)),
        (("c",), ("0.6",)),
        ((None,), (0.6,)),
        ((), ()),
        (("c",), ()),
        ((), (0.6,)),
        (("c", "b"), (0.6,)),
        (("c",), (0.6, 0.3)),
        (("b", "c"), (0.3, 0.6)),
        (("c", "a"), (0.6, 0.3)),
        (("c", "c"), (0.6, 0.3)),
        (("c", "b"), (NAN, 0.3)),
        (("c", "b"), (0.6, NAN)),
        (("c", "b", "a"), (0.6, 0.3, NAN)),
        (("c", "b", "a", "a"), (0.6, 0.3, 0.1, 0.1)),
    ],
)
def test_a_wrong_ranking_is_an_error(answer):
    with pytest.raises(ValueError, match="is right"):
        ranking(RANKED, answer)


def test_the_error_shows_the_first_place_that_differs_with_both_answers_and_a_cause():
    with pytest.raises(ValueError, match=r"at place 0 is 'a' 0\.5 where 'c' 0\.6 is right \(most likely other tokens"):
        ranking(RANKED, (("a",), (0.5,)))
    with pytest.raises(ValueError, match="the answer ranks 0 labels"):
        ranking(RANKED, ((), ()))
    with pytest.raises(ValueError, match=r"at place 1 is 'b' 0\.4 where 'b' 0\.3 .*another function makes scores"):
        ranking(RANKED, (("c", "b"), (0.6, 0.4)))


def test_long_labels_and_close_scores_are_shown_where_they_differ():
    close = (("one" * 60 + "a", "b"), (0.12345, 0.1))
    with pytest.raises(ValueError, match="is right") as caught:
        ranking(close, (("one" * 60 + "c", "b"), (0.12345, 0.1)))
    assert "onec" in str(caught.value) and "onea" in str(caught.value)
    with pytest.raises(ValueError, match=r"0\.123451 where .* 0\.12345 is right"):
        ranking(close, (("one" * 60 + "a",), (0.123451,)), tolerance=1e-7)


def test_labels_whose_scores_are_equal_within_the_tolerance_may_change_places():
    close = (("a", "b", "c"), (0.4005, 0.3999, 0.1996))
    assert ranking(close, (("b", "a"), (0.3999, 0.4005))) == pytest.approx(6e-4)
    assert ranking(close, (("b",), (0.3999,))) == pytest.approx(6e-4)
    with pytest.raises(ValueError, match="is right"):
        ranking(close, (("b", "a"), (0.3999, 0.4005)), tolerance=1e-4)
    with pytest.raises(ValueError, match="is right"):
        ranking((("a", "b", "c"), (0.42, 0.38, 0.2)), (("b", "a"), (0.38, 0.42)))


def test_a_tie_does_not_allow_one_label_twice():
    with pytest.raises(ValueError, match=r"at place 1 is 'a' 0\.4 where 'b' 0\.4 is right"):
        ranking((("a", "b", "c"), (0.4, 0.4, 0.2)), (("a", "a"), (0.4, 0.4)))


def test_a_label_that_two_classes_share_may_come_twice():
    expected = (("same", "same", "other"), (0.5, 0.3, 0.2))
    assert ranking(expected, (("same", "same"), (0.5, 0.3))) == 0.0
    with pytest.raises(ValueError, match="is right"):
        ranking(expected, (("same", "same", "same"), (0.5, 0.3, 0.2)))


@pytest.fixture
def operations():
    """Counts comparisons, hashes and subtractions of the labels and scores that `counted_ranking` makes."""
    return Counter()


@pytest.fixture
def counted_ranking(operations):
    """`counted_ranking(size, same=)`: `size` labels with falling scores; `same`: all labels are equal."""

    def counted(kind, *names):
        def method(name):
            def call(*arguments):
                operations[name] += 1
                return getattr(kind, name)(*arguments)

            return call

        return type(f"Counted{kind.__name__}", (kind,), {name: method(name) for name in names})

    text = counted(str, "__eq__", "__hash__")
    number = counted(float, "__sub__", "__rsub__", "__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__hash__")

    def make(size, *, same):
        labels = [text(f"concept {0 if same else place}") for place in range(size)]
        return labels, [number(1 - place / size) for place in range(size)]

    return make


@pytest.mark.parametrize("same", [False, True], ids=["different labels", "equal labels"])
def test_the_work_grows_linearly_with_the_labels(operations, counted_ranking, same):
    """The canary of an image compares every few seconds; quadratic work takes minutes for 20,000 labels.

    Twice the labels are twice the work and a little for the sorting of equal labels; quadratic work is four times.
    """
    work = []
    for size in (1000, 2000):
        operations.clear()
        assert ranking(counted_ranking(size, same=same), counted_ranking(size, same=same)) == 0.0
        work.append(operations.total())
    assert 0 < work[0] < work[1] < 2.5 * work[0]


@pytest.mark.parametrize("seed", range(20))
def test_the_nearest_golden_score_of_a_label_counts(seed):
    """Against the rule as it is written: the smallest distance among all golden scores of the served label."""
    random = Random(seed)
    pairs = sorted(((random.choice("abc"), random.random()) for _ in range(8)), key=lambda pair: -pair[1])
    label, best = random.choice(pairs)[0], pairs[0][1]
    right = min(abs(score - best) for name, score in pairs if name == label)
    assert ranking(zip(*pairs, strict=True), ([label], [best]), tolerance=1.0) == pytest.approx(right)


@pytest.mark.parametrize("label", [None, ["a"], {"base64": "/w=="}, 3])
def test_labels_must_be_texts(label):
    with pytest.raises(ValueError, match=r"'a' 0\.9"):
        ranking((["a"], [0.9]), ([label], [0.9]))
