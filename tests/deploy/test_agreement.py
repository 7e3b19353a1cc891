"""The rules of the agreement that a server measures, on served answers; tests/server/test_agreement.py has a server."""

import math

import numpy as np
import pytest

from deploy.supervisor import agreement, canary
from utils.convert.agreement import RULES, TIE

LABELS = ("a", "b", "c")


def ranking(scores):
    """The answer of a classifier: labels and scores, best first."""
    best = sorted(zip(LABELS, scores, strict=True), key=lambda pair: -pair[1])
    return {
        "predicts": {"datatype": "BYTES", "shape": [3], "data": [label for label, _ in best]},
        "scores": {"datatype": "FP32", "shape": [3], "data": [float(score) for _, score in best]},
    }


def vector(values):
    return {"embedding": {"datatype": "FP32", "shape": [3], "data": [float(value) for value in values]}}


def sparse(weights):
    ids = {"datatype": "INT32", "shape": [3], "data": [*weights, *[-1] * (3 - len(weights))]}
    padded = [*weights.values(), *[0.0] * (3 - len(weights))]
    return {"indices": ids, "values": {"datatype": "FP32", "shape": [3], "data": padded}}


def text(value):
    return {"entities": {"datatype": "BYTES", "shape": [1], "data": [value]}}


def activated(rule, logits):
    if rule == "softmax":
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)
    return 1 / (1 + np.exp(-logits)) if rule == "sigmoid" else logits


def test_the_rules_and_the_tie_are_those_of_the_build():
    assert (set(agreement.RULES), agreement.TIE) == (set(RULES), TIE)


@pytest.mark.parametrize("rule", ["softmax", "sigmoid", "none", "cosine"])
def test_a_server_measures_what_the_build_measures(rule):
    random = np.random.default_rng(0)
    logits = random.normal(size=(40, 3)).astype(np.float32)
    reduced = (logits + random.normal(scale=0.5, size=logits.shape)).astype(np.float32)
    answer = vector if rule == "cosine" else ranking
    pairs = [
        (answer(one), answer(other))
        for one, other in zip(activated(rule, logits), activated(rule, reduced), strict=True)
    ]
    expected = RULES[rule](list(logits), list(reduced)).share
    assert agreement.share(rule, pairs) == pytest.approx(expected, abs=1e-6)
    assert abs(expected) < 1, "the case shows something"


@pytest.mark.parametrize("rule", agreement.RULES)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, None, "1"])
def test_what_is_no_number_never_agrees(rule, wrong):
    served = ranking([0.1, 0.7, 0.2])
    served["scores"]["data"][2] = wrong
    assert agreement.share(rule, [(ranking([0.1, 0.7, 0.2]), served)]) == 0


def test_an_unknown_label_never_agrees():
    served = ranking([0.1, 0.7, 0.2])
    served["predicts"]["data"][0] = "other"
    assert agreement.share("softmax", [(ranking([0.1, 0.7, 0.2]), served)]) == 0


def test_ids_are_compared_without_their_padding():
    assert agreement.share("cosine", [(sparse({5: 1.0, 7: 1.0}), sparse({7: 2.0, 5: 2.0}))]) == pytest.approx(1)
    assert agreement.share("cosine", [(sparse({5: 1.0, 7: 1.0}), sparse({5: 1.0}))]) == pytest.approx(0.5**0.5)
    assert agreement.share("cosine", [(sparse({}), sparse({}))]) == 1


def test_texts_agree_whatever_their_scores_are():
    right = '[{"entity": "PER", "score": 0.9}]'
    pairs = [(text(right), text(right.replace("0.9", "0.4"))), (text(right), text(right.replace("PER", "ORG")))]
    assert agreement.share("softmax", pairs) == 0.5


def test_requests_are_batches_of_equal_shapes():
    inputs = {"text_input": {"datatype": "BYTES", "shape": [1], "data": ["a"]}}
    row = {"model": "m", "batched": True, "inputs": inputs, "outputs": vector([1, 2, 3]), "reference": {}}
    rows = [row] * 5 + [{**row, "parameters": {"top": 1}}, {**row, "batched": False}, {**row, "batched": False}]
    batches = list(agreement._batches(rows, 3))
    assert [len(batch) for batch in batches] == [3, 2, 1, 1, 1]
    request = canary.prepared(*batches[0])
    assert b'"shape": [3, 1]' in request.body and request.body.endswith(b"\x01\0\0\0a" * 3)
    joined = {"embedding": {"datatype": "FP32", "shape": [3], "data": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}}
    assert agreement._rows_of(joined, 2) == [vector([1, 2, 3]), vector([4, 5, 6])]


@pytest.mark.parametrize(
    "change", [{"rule": "other"}, {"rows": []}], ids=["a rule of a later version", "no PyTorch answers"]
)
def test_a_damaged_golden_json_is_reported(change):
    golden = {"rows": [{"reference": {}}], "agreement": {"rule": "softmax", "least": 0.9, "precision": "fp16"}}
    assert agreement.of_golden(golden).least == 0.9
    golden["agreement"] = {**golden["agreement"], **change}
    with pytest.raises(ValueError, match="no PyTorch answers"):
        agreement.of_golden({**golden, **change})


def test_the_sentence_of_a_fault():
    required = agreement.Agreement(rows=({},) * 27, rule="softmax", least=0.99, precision="fp16")
    assert required.fault(0.99) == ""
    assert required.fault(0.98).startswith("fp16 does not agree with PyTorch on this device: 98% in 27 golden answers")
