"""The layers in the graph of a SetFit model against those of the server, which have the library's rules."""

import numpy as np
import pytest
import torch

from utils.convert.setfit_model import applied, pooled
from utils.repository.served_code import load_shared
from utils.sources.sentence_modules import POOLINGS

RANDOM = np.random.default_rng(3)
SERVED = load_shared("pooled_embeddings")
DENSE = {"type": "Dense", "path": "2_Dense", "activation": "Tanh"}
MODULES = [
    {"type": "Normalize"},
    {"type": "LayerNorm", "path": "2_LayerNorm"},
    *({**DENSE, "activation": name} for name in SERVED.ACTIVATIONS),
    {**DENSE, "residual": True, "size": 5},
    {**DENSE, "residual": True, "size": 3},
    {**DENSE, "bias": False},
]


def weights_of(module):
    size, path = module.get("size", 3), module.get("path")
    shapes = {f"{path}.linear.weight": (size, 5), f"{path}.norm.weight": (5,), f"{path}.norm.bias": (5,)}
    shapes |= {f"{path}.linear.bias": (size,)} if module.get("bias", True) else {}
    shapes |= {f"{path}.residual.weight": (size, 5)} if module.get("residual") and size != 5 else {}
    return {name: RANDOM.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_in_the_graph_gives_what_the_server_gives(module):
    values, weights = RANDOM.standard_normal((4, 5)).astype(np.float32), weights_of(module)
    tensors = {name: torch.from_numpy(each) for name, each in weights.items()}
    found = applied(module, torch.from_numpy(values), tensors).numpy()
    np.testing.assert_allclose(found, SERVED.MODULES[module["type"]](values, module, weights), atol=2e-6)


@pytest.mark.parametrize("mode", POOLINGS)
def test_a_pooling_in_the_graph_gives_what_the_server_gives(mode):
    states, mask = RANDOM.standard_normal((2, 4, 5)).astype(np.float32), np.array([[1, 1, 1, 1], [1, 1, 0, 0]])
    found = pooled(torch.from_numpy(states), torch.from_numpy(mask), [mode]).numpy()
    np.testing.assert_allclose(found, SERVED.embed(states, mask, [{"modes": [mode]}], {}), atol=2e-6)
