import numpy as np
import pytest

INPUTS = {"attention_mask": "TYPE_INT64", "last_hidden_state": "TYPE_FP32"}


@pytest.fixture
def load(load_component):
    def make(pooling="mean", normalize=False, modules=(), **more):
        chain = [{"type": "Pooling", "modes": [pooling]}, *modules]
        files = {"settings.json": {"modules": chain, "normalize": normalize, **more}}
        return load_component("pooling", INPUTS, {"embedding": "TYPE_FP32"}, files)

    return make


def states(*rows):
    return np.array(rows, dtype=np.float32)


def masks(*rows):
    return np.array(rows, dtype=np.int64)


RAGGED = {
    "attention_mask": masks([1, 1, 0], [1, 1, 1]),
    "last_hidden_state": states([[1, -4], [3, -2], [99, 99]], [[1, 2], [0, 2], [5, 5]]),
}


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("mean", [[2, -3], [2, 3]]), ("cls", [[1, -4], [1, 2]]), ("max", [[3, -2], [5, 5]])],
)
def test_padding_does_not_change_an_embedding(load, request_of, pooling, expected):
    (response,) = load(pooling).execute([request_of(**RAGGED)])
    assert response.error is None
    np.testing.assert_array_equal(response.outputs["embedding"], np.array(expected, dtype=np.float32))
    assert response.outputs["embedding"].dtype == np.float32


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_the_result_equals_torch_s(load, request_of, pooling):
    import torch

    random = np.random.default_rng(3)
    values = random.normal(size=(4, 6, 8)).astype(np.float32)
    mask = masks([1] * 6, [1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1])
    (response,) = load(pooling, normalize=True).execute([request_of(attention_mask=mask, last_hidden_state=values)])
    for row, embedding in enumerate(response.outputs["embedding"]):
        kept = torch.tensor(values[row][mask[row] == 1])
        pooled = {"mean": kept.mean(0), "cls": kept[0], "max": kept.amax(0)}[pooling]
        np.testing.assert_allclose(embedding, torch.nn.functional.normalize(pooled, dim=0).numpy(), atol=1e-6)


def test_zeros_stay_zeros_when_normalized(load, request_of):
    request = request_of(attention_mask=masks([1]), last_hidden_state=states([[0, 0]]))
    (response,) = load(normalize=True).execute([request])
    assert response.outputs["embedding"].tolist() == [[0, 0]]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_fail_their_own_request(load, request_of, value):
    good = request_of(**RAGGED)
    bad = request_of(attention_mask=masks([1, 1]), last_hidden_state=states([[1, 2], [value, 0]]))
    before, failed, after = load().execute([good, bad, good])
    assert "not finite" in failed.error.message()
    assert (failed.error.code(), failed.outputs) == ("INTERNAL", {})
    assert (before.error, after.error) == (None, None)


def test_the_values_of_padding_are_ignored(load, request_of):
    request = request_of(attention_mask=masks([1, 0]), last_hidden_state=states([[1, 2], [np.nan, np.inf]]))
    (response,) = load().execute([request])
    assert response.outputs["embedding"].tolist() == [[1, 2]]


NORMALIZE = {"modules": [{"type": "Normalize"}]}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"dimensions": [1]}, [[3.0]]),
        ({"dimensions": [2], "normalize": True}, [[0.6, 0.8]]),
        ({**NORMALIZE, "dimensions": [1]}, [[3 / 13]]),
        ({**NORMALIZE, "dimensions": [2], "normalize": True}, [[0.6, 0.8]]),
        ({"dimensions": [9]}, [[3.0, 4.0, 12.0]]),
    ],
)
def test_truncation_comes_after_the_modules_and_before_the_option_s_normalization(load, request_of, settings, expected):
    (response,) = load(**settings).execute(
        [request_of(attention_mask=masks([1]), last_hidden_state=states([[3, 4, 12]]))]
    )
    np.testing.assert_allclose(response.outputs["embedding"], expected, atol=1e-6)


PROMPTS = {"prompts": {"query": {"text": "a ", "tokens": 1}, "none": {"text": "", "tokens": 0}}}


@pytest.mark.parametrize(
    ("settings", "parameters", "expected"),
    [
        (PROMPTS, {}, [[2, 3]]),
        (PROMPTS, {"prompt_name": "query"}, [[2.5, 3.5]]),
        ({**PROMPTS, "default_prompt": "query"}, {}, [[2.5, 3.5]]),
        ({**PROMPTS, "default_prompt": "query"}, {"prompt_name": "none"}, [[2, 3]]),
        ({"dimensions": [2, 1]}, {}, [[2, 3]]),
        ({"dimensions": [2, 1]}, {"dimensions": 1}, [[2]]),
        ({**PROMPTS, "dimensions": [2, 1]}, {"dimensions": 1, "prompt_name": "query"}, [[2.5]]),
    ],
)
def test_a_request_chooses_its_prompt_and_its_size(load, request_of, settings, parameters, expected):
    values = {"attention_mask": masks([1, 1, 1]), "last_hidden_state": states([[1, 2], [2, 3], [3, 4]])}
    (response,) = load(**settings).execute([request_of(**values, parameters=parameters)])
    assert response.outputs["embedding"].tolist() == expected


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"prompt_name": "passage"}, "parameter 'prompt_name' is 'passage'; allowed: none, query"),
        ({"prompt_name": 3}, "parameter 'prompt_name' is 3"),
        ({"dimensions": 3}, "parameter 'dimensions' is 3; allowed: 2, 1"),
        ({"dimensions": True}, "parameter 'dimensions' is True"),
        ({"dimensions": "2"}, "parameter 'dimensions' is '2'"),
        ({"dimension": 2}, "parameter 'dimension' is unknown; known are: prompt_name, dimensions"),
    ],
)
def test_what_the_model_does_not_have_is_refused(load, request_of, parameters, says):
    good, bad = request_of(**RAGGED), request_of(**RAGGED, parameters=parameters)
    refused, answered = load(**PROMPTS, dimensions=[2, 1]).execute([bad, good])
    assert refused.error.code() == "INVALID_ARG" and says in refused.error.message()
    assert answered.error is None
