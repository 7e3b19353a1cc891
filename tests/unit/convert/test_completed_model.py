"""Layers behind a model's own: part of its class, so that copies, tracing and signatures see them."""

import copy
import inspect

import pytest

from tests import tiny_models
from utils.convert.completed_model import with_sparse_weights

SETTINGS = {"pooling_strategy": "max", "activation_function": "relu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.as_masked_language_model(tmp_path_factory.mktemp("model") / "mlm", tiny_models.bert)


@pytest.fixture
def model(folder):
    from transformers import AutoModelForMaskedLM

    return AutoModelForMaskedLM.from_pretrained(folder).eval()


@pytest.mark.parametrize("pooling_strategy", ["max", "sum"])
@pytest.mark.parametrize("activation_function", ["relu", "log1p_relu"])
def test_the_weights_are_those_of_the_formulas(model, folder, pooling_strategy, activation_function):
    """That of the library itself: every build compares with it. Padding has no part in them."""
    import torch

    ids = torch.tensor([[2, 9, 17, 3]])
    with torch.inference_mode():
        values = model(input_ids=ids).logits.relu().log1p()
        values = values.log1p() if activation_function == "log1p_relu" else values
        right = values.amax(1) if pooling_strategy == "max" else values.sum(1)
        how = {"pooling_strategy": pooling_strategy, "activation_function": activation_function}
        complete = with_sparse_weights(model, how, folder)
        padded, mask = torch.tensor([[2, 9, 17, 3, 0, 0]]), torch.tensor([[1, 1, 1, 1, 0, 0]])
        assert torch.allclose(complete(input_ids=ids).logits, right, atol=1e-6)
        assert torch.allclose(complete(padded, mask).logits, right, atol=1e-5)


def test_a_copy_has_the_layers_and_the_signature_stays(model, folder):
    import torch

    names = list(inspect.signature(model.forward).parameters)
    class_before = type(model)
    complete = copy.copy(with_sparse_weights(model, SETTINGS, folder))
    assert list(inspect.signature(complete.forward).parameters) == names
    assert (type(complete).__name__, type(complete).__module__) == (class_before.__name__, class_before.__module__)
    with torch.inference_mode():
        assert complete(torch.tensor([[2, 9, 3]])).logits.dim() == 2
