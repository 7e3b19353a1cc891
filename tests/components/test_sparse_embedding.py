import numpy as np
import pytest


@pytest.fixture
def load(load_component):
    def make(top_k=None):
        outputs = {"indices": "TYPE_INT64", "weights": "TYPE_FP32"}
        settings = {"top_k": top_k, "chooses_top_k": True}
        return load_component("sparse_embedding", {"logits": "TYPE_FP32"}, outputs, {"settings.json": settings})

    return make


WEIGHTS = np.array([[0, 0.5, 0, 2, 0.5, 1], [0, 0, 0, 0, 0.25, 0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("top_k", "indices", "weights"),
    [
        (None, [[1, 3, 4, 5], [4, -1, -1, -1]], [[0.5, 2, 0.5, 1], [0.25, 0, 0, 0]]),
        (3, [[1, 3, 5], [4, -1, -1]], [[0.5, 2, 1], [0.25, 0, 0]]),  # the lower of two equal ones
        (99, [[1, 3, 4, 5], [4, -1, -1, -1]], [[0.5, 2, 0.5, 1], [0.25, 0, 0, 0]]),
    ],
)
def test_the_weights_above_zero_are_padded_to_the_longest_row(load, request_of, top_k, indices, weights):
    (response,) = load(top_k).execute([request_of(logits=WEIGHTS)])
    assert response.outputs["indices"].tolist() == indices
    np.testing.assert_array_equal(response.outputs["weights"], np.array(weights, dtype=np.float32))
    assert [each.dtype for each in response.outputs.values()] == [np.int64, np.float32]


def test_a_request_chooses_fewer_weights(load, request_of):
    requests = [request_of(parameters={"top_k": top_k}, logits=WEIGHTS) for top_k in (1, 3, 4, 0, True, "1", 2.0)]
    one, all_three, *refused = load(3).execute(requests)
    assert one.outputs["indices"].tolist() == [[3], [4]]
    assert all_three.outputs["indices"].tolist() == [[1, 3, 5], [4, -1, -1]]
    assert {each.error.code() for each in refused} == {"INVALID_ARG"}
    assert refused[0].error.message() == "parameter 'top_k' is 4; allowed: a whole number from 1 to 3"


def test_without_a_limit_a_request_chooses_any_number(load, request_of):
    (response, refused) = load().execute([request_of(parameters={"top_k": k}, logits=WEIGHTS) for k in (10**6, -1)])
    assert response.outputs["indices"].tolist() == [[1, 3, 4, 5], [4, -1, -1, -1]]
    assert refused.error.message() == "parameter 'top_k' is -1; allowed: a whole number from 1"


def test_a_text_without_weights_has_one_padded_place(load, request_of):
    (response,) = load().execute([request_of(logits=np.zeros((1, 6), dtype=np.float32))])
    assert [each.tolist() for each in response.outputs.values()] == [[[-1]], [[0.0]]]


def test_a_number_that_is_not_finite_fails_its_own_request(load, request_of):
    bad = WEIGHTS.copy()
    bad[1, 0] = np.inf
    good, failed = load().execute([request_of(logits=WEIGHTS), request_of(logits=bad)])
    assert good.error is None
    assert (failed.error.code(), failed.outputs) == ("INTERNAL", {})
    assert "not finite" in failed.error.message()
