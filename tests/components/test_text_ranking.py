import numpy as np
import pytest


@pytest.fixture
def load(load_component):
    def make(activation):
        files = {"settings.json": {"activation": activation}}
        return load_component("text_ranking", {"logits": "TYPE_FP32"}, {"scores": "TYPE_FP32"}, files)

    return make


LOGITS = np.array([[-200.0], [0.0], [1.0], [200.0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("activation", "scores"), [("sigmoid", [[0], [0.5], [0.7310586], [1]]), ("none", LOGITS.tolist())]
)
def test_the_activation_comes_from_the_settings(load, request_of, activation, scores):
    (response,) = load(activation).execute([request_of(logits=LOGITS)])
    np.testing.assert_allclose(response.outputs["scores"], scores, atol=1e-7)
    assert response.outputs["scores"].dtype == np.float32


def test_each_output_of_the_head_has_its_score(load, request_of):
    (response,) = load("tanh").execute([request_of(logits=LOGITS.reshape(2, 2))])
    np.testing.assert_allclose(response.outputs["scores"], [[-1, 0], [0.76159416, 1]], atol=1e-7)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("activation", ["sigmoid", "none"])
def test_logits_that_are_not_finite_are_an_error_and_no_score(load, request_of, activation, value):
    broken = np.array([[0.5], [value]], dtype=np.float32)
    good, bad = load(activation).execute([request_of(logits=LOGITS), request_of(logits=broken)])
    assert good.error is None
    assert (bad.error.code(), bad.outputs) == ("INTERNAL", {})
    assert "not finite" in bad.error.message()
