"""Metrics of each kind against small cases that are computed by hand."""

import json

import pytest

from utils.evaluation.kind import Answer, EvalRow
from utils.evaluation.kinds import KINDS
from utils.proof.golden import TensorValue, texts


def row(right, text="", line=1):
    return EvalRow(line=line, examples=({"text_input": text},), right=right)


def labels(*names, scores=()):
    return Answer(texts=names, scores=scores or (0.9,) * len(names))


def measure(kind, rights, predictions, **options):
    return KINDS[kind].measure([row(each, **options) for each in rights], predictions)


def test_one_label():
    """a: 2 of 3 right, b: 1 of 1; F1 of a is 0.8, of b 2/3."""
    rights = [labels("a"), labels("a"), labels("a"), labels("b")]
    predictions = [labels("a"), labels("a"), labels("b", scores=(0.6,)), labels("b", scores=(0.7,))]
    found = measure("label", rights, predictions)
    assert found.metrics == {
        "accuracy": 0.75,
        "f1_macro": pytest.approx((0.8 + 2 / 3) / 2),
        "f1_weighted": pytest.approx(0.75 * 0.8 + 0.25 * 2 / 3),
    }
    assert found.losses == (0, 0, 1.6, 0)
    assert found.confidences == ((0.9, True), (0.9, True), (0.6, False), (0.7, True))
    assert (found.confusion.labels, found.confusion.counts) == (("a", "b"), ((2, 1), (0, 1)))
    assert [(each.right, each.given, each.count) for each in found.confusion.pairs] == [("a", "b", 1)]
    assert [(each.label, each.support) for each in found.by_label] == [("a", 3), ("b", 1)]
    assert (found.by_label[1].precision, found.by_label[1].recall) == (0.5, 1)
    assert measure("raw-label", rights, predictions).confidences == ()


def test_many_labels_have_the_confused_pairs_only():
    rights, predictions = [labels(f"{n:02}") for n in range(30)], [labels(f"{n // 2:02}") for n in range(30)]
    found = measure("label", rights, predictions).confusion
    assert (found.labels, found.counts, len(found.pairs)) == ((), (), 20)


def test_several_labels():
    """Rows: both right, one too many, one too few, none where none is right."""
    rights = [labels("a", "b"), labels("a"), labels("a", "b"), labels()]
    predictions = [labels("b", "a"), labels("a", "b", scores=(0.9, 0.6)), labels("a"), labels()]
    found = measure("labels", rights, predictions)
    assert found.metrics["accuracy"] == 0.5
    assert found.metrics["f1_micro"] == pytest.approx(8 / 10)  # 4 right, 5 given, 5 wanted
    assert found.metrics["f1_macro"] == pytest.approx((1 + 0.5) / 2)
    assert found.losses == (0, 1, 1, 0)
    assert measure("labels", [labels("a"), labels()], [labels("a"), labels("a")]).metrics == {
        "accuracy": 0.5, **dict.fromkeys(("f1_micro", "f1_macro", "f1_weighted"), pytest.approx(2 / 3))
    }  # fmt: skip
    assert measure("labels", [labels()], [labels()]).metrics["accuracy"] == 1
    assert found.confidences == ((0.9, True), (0.9, True), (0.9, True), (0.6, False), (0.9, True))


def test_labels_above_one_half_are_given():
    answer = {
        "predicts": texts(["a", "b", "c"]),
        "scores": TensorValue(datatype="FP32", shape=(3,), data=(0.9, 0.51, 0.5)),
    }
    assert KINDS["labels"].extract([answer]) == Answer(texts=("a", "b"), scores=(0.9, 0.51))
    assert KINDS["label"].extract([answer]) == Answer(texts=("a",), scores=(0.9,))


def entities(*found):
    return Answer(
        texts=tuple(label for _, _, label in found),
        spans=tuple((start, end) for start, end, _ in found),
        scores=(0.5,) * len(found),
    )


def test_entities():
    """Of 4 right and 4 given entities 2 are equal: one has another end, one another type. Spaces do not count."""
    text = "Anna Lee met Bo in Rom by Ulm"
    right = [entities((0, 8, "PER"), (13, 15, "PER"), (19, 22, "LOC"), (26, 29, "LOC")), entities()]
    predictions = [entities((0, 4, "PER"), (12, 15, "PER"), (19, 22, "PER"), (26, 29, "LOC")), entities()]
    found = measure("entities", right, predictions, text=text)
    assert [found.metrics[name] for name in ("precision", "recall", "f1")] == [0.5, 0.5, 0.5]
    assert {each.label: (each.precision, each.recall, each.support) for each in found.by_label} == {
        "PER": (pytest.approx(1 / 3), 0.5, 2),
        "LOC": (1, 0.5, 2),
    }
    assert found.losses == (4, 0)
    assert [is_right for _, is_right in found.confidences] == [False, True, False, True]


def test_neighbours_of_one_type_are_two_entities():
    one, two = entities((0, 1, "X"), (1, 2, "X")), entities((0, 2, "X"))
    assert measure("entities", [one], [one], text="ab").metrics["f1"] == 1
    assert measure("entities", [two], [one], text="ab").metrics["f1"] == 0
    assert measure("entities", [entities()], [entities()]).metrics["f1"] is None


def test_served_entities():
    groups = [{"entity_group": "PER", "score": 0.8, "word": "Bo", "start": 0, "end": 2}]
    tokens = [
        {"entity": tag, "score": score, "index": index, "word": "w", "start": index, "end": index + 1}
        for index, tag, score in (
            (1, "B-PER", 0.9), (2, "I-PER", 0.7), (3, "B-PER", 0.6), (5, "I-PER", 0.5), (6, "MISC", 0.4)
        )
    ]  # fmt: skip
    extract = KINDS["entities"].extract
    assert extract([{"entities": texts([json.dumps(groups)])}]) == Answer(
        texts=("PER",), spans=((0, 2),), scores=(0.8,)
    )
    found = extract([{"entities": texts([json.dumps(tokens)])}])
    assert list(zip(found.texts, found.spans, found.scores, strict=True)) == [
        ("PER", (1, 3), 0.7), ("PER", (3, 4), 0.6), ("PER", (5, 6), 0.5), ("MISC", (6, 7), 0.4),
    ]  # fmt: skip


def numbers(*values):
    return [Answer(scores=(value,)) for value in values]


def test_order():
    """Ranks 1 2 3 4 against 2 1 3 4: Spearman's is 1 - 6 (1 + 1) / (4 * 15)."""
    found = measure("score", numbers(1, 2, 3, 4), numbers(20, 10, 30, 40))
    assert found.metrics == {"spearman": pytest.approx(0.8), "pearson": pytest.approx(0.8)}
    assert found.losses == pytest.approx((1 / 3, 1 / 3, 0, 0))
    assert measure("score", numbers(1, 2, 3), numbers(5, 5, 5)).metrics == {"spearman": None, "pearson": None}
    assert measure("score", numbers(1, 2), numbers(5, 6)).metrics["spearman"] is None


def test_values_have_an_error_too():
    found = measure("value", numbers(1, 2, 3), numbers(1, 2, 6))
    assert found.metrics["mean_absolute_error"] == 1
    assert found.metrics["root_mean_squared_error"] == pytest.approx(3**0.5)
    assert (found.metrics["spearman"], found.losses) == (pytest.approx(1), (0, 0, 3))


def test_similarity_is_the_cosine():
    def embedding(*values):
        return {"embedding": TensorValue(datatype="FP32", shape=(2,), data=values)}

    extract = KINDS["similarity"].extract
    assert extract([embedding(1, 1), embedding(2, 0)]).scores == pytest.approx((0.5**0.5,))
    assert extract([embedding(0, 0), embedding(2, 0)]).scores == (0,)


def test_answers():
    """Case, articles and punctuation do not count; the best of several allowed answers does."""
    rights = [labels("the Spree", "Berlin"), labels("near the Spree"), labels(), labels()]
    predictions = [labels("berlin."), labels("Spree", scores=(0.2,)), labels(""), labels("Berlin")]
    found = measure("answers", rights, predictions)
    assert found.metrics == {"exact_match": 0.5, "f1": pytest.approx((1 + 2 / 3 + 1 + 0) / 4)}
    assert found.losses == pytest.approx((0, 1 / 3, 0, 1))
    assert found.confidences == ((0.9, True), (0.2, False), (0.9, True), (0.9, False))
