import math

import numpy as np
import pytest

LABELS = ['say "hi"', "{{ x }}", "помощь"]


@pytest.fixture
def load(load_component):
    def make(score_function="softmax", top_k=1, labels=LABELS):
        files = {
            "settings.json": {"score_function": score_function, "top_k": top_k},
            "id2label.json": {str(index): label for index, label in enumerate(labels)},
        }
        outputs = {"predicts": "TYPE_STRING", "scores": "TYPE_FP32"}
        return load_component("post_processing", {"logits": "TYPE_FP32"}, outputs, files)

    return make


def logits(*rows):
    return np.array(rows, dtype=np.float32)


def decoded(response):
    return [[label.decode("utf-8") for label in row] for row in response.outputs["predicts"]]


@pytest.mark.parametrize(
    ("score_function", "top_k", "labels", "scores"),
    [
        ("softmax", 1, [LABELS[2]], [0.625]),
        ("softmax", 3, [LABELS[2], LABELS[1], LABELS[0]], [0.625, 0.25, 0.125]),
        ("sigmoid", 3, [LABELS[2], LABELS[1], LABELS[0]], [5 / 6, 2 / 3, 1 / 2]),
        ("none", 2, [LABELS[2], LABELS[1]], [math.log(5), math.log(2)]),
    ],
)
def test_the_settings_are_used(load, request_of, score_function, top_k, labels, scores):
    model = load(score_function, top_k)
    (response,) = model.execute([request_of(logits=logits([0, math.log(2), math.log(5)]))])
    assert decoded(response) == [labels]
    np.testing.assert_allclose(response.outputs["scores"], [scores], rtol=1e-6)
    assert response.outputs["scores"].dtype == np.float32


def test_ten_and_more_labels_keep_the_head_order(load, request_of):
    labels = [f"label {index}" for index in range(12)]
    rows = np.eye(12, dtype=np.float32)
    (response,) = load(labels=labels).execute([request_of(logits=rows)])
    assert decoded(response) == [[label] for label in labels]


def test_requests_of_different_sizes_are_answered(load, request_of):
    requests = [request_of(logits=logits([1, 0, 0])), request_of(logits=logits([0, 1, 0], [0, 0, 1]))]
    assert [decoded(response) for response in load().execute(requests)] == [
        [[LABELS[0]]],
        [[LABELS[1]], [LABELS[2]]],
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("score_function", ["softmax", "sigmoid", "none"])
def test_logits_that_are_not_finite_are_an_error_and_no_label(load, request_of, score_function, value):
    requests = [
        request_of(logits=logits([1, 0, 0])),
        request_of(logits=logits([0, 1, 0], [0, value, 1])),
        request_of(logits=logits([0, 0, 1])),
    ]
    before, bad, after = load(score_function).execute(requests)
    assert "not finite" in bad.error.message()
    assert bad.error.code() == "INTERNAL"
    assert bad.outputs == {}
    assert (decoded(before), decoded(after)) == ([[LABELS[0]]], [[LABELS[2]]])
