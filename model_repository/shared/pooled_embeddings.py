"""The states of a text's tokens to one embedding, by the rules of sentence-transformers' modules, over numpy arrays."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# The weights of the modules, {PATH.NAME: array}: PATH is the module's folder, NAME as in the library's state_dict.
WEIGHTS = "modules.npz"
EPSILON = 1e-5  # of torch.nn.LayerNorm


def mean(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean over the tokens that the mask selects, [B, D]."""
    return np.asarray(_sum(states, mask) / np.maximum(mask.sum(axis=1), 1))


def mean_by_root(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The sum over the tokens, divided by the square root of their number."""
    return np.asarray(_sum(states, mask) / np.sqrt(np.maximum(mask.sum(axis=1), 1)))


def weighted_mean(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean with the weight 1 for the first token of the text, 2 for the second, and so on."""
    weights = mask * np.arange(1, mask.shape[1] + 1)[None, :, None]
    return np.asarray(_sum(states * weights, mask) / np.maximum(weights.sum(axis=1), 1))


def first(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The state of the first token, which is [CLS] if the tokenizer has one."""
    return np.asarray(states[np.arange(len(states)), mask[..., 0].argmax(axis=1)])


def last(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The state of the last token."""
    return np.asarray(states[np.arange(len(states)), mask.shape[1] - 1 - mask[:, ::-1, 0].argmax(axis=1)])


def largest(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The largest value of each dimension over the tokens."""
    return np.asarray(np.where(mask, states, -np.inf).max(axis=1))


def _sum(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(mask, states, 0).sum(axis=1))


# By the library's names: `states` FP32 [B, tokens, D], `mask` BOOL [B, tokens, 1].
POOLINGS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": mean,
    "cls": first,
    "max": largest,
    "mean_sqrt_len_tokens": mean_by_root,
    "weightedmean": weighted_mean,
    "lasttoken": last,
}


def sigmoid(values: np.ndarray) -> np.ndarray:
    """By the hyperbolic tangent, which cannot overflow."""
    return np.asarray((1 + np.tanh(values / 2)) / 2)


def gelu(values: np.ndarray) -> np.ndarray:
    """By the error function, as torch.nn.GELU without `approximate`."""
    return np.asarray(values * (1 + np.vectorize(math.erf, otypes=[np.float64])(values / math.sqrt(2))) / 2)


# By the names of the classes of torch.nn, with the arguments that these have by default.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Identity": lambda values: values,
    "Tanh": np.tanh,
    "Sigmoid": sigmoid,
    "ReLU": lambda values: np.maximum(values, 0),
    "LeakyReLU": lambda values: np.where(values > 0, values, 0.01 * values),
    "ELU": lambda values: np.where(values > 0, values, np.expm1(np.minimum(values, 0))),
    "GELU": gelu,
    "SiLU": lambda values: values * sigmoid(values),
}


def dense(values: np.ndarray, module: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """A linear layer with its activation; with a residual, plus the values, which a layer without bias may resize."""
    path = module["path"]
    layer, residual = weights[f"{path}.linear.weight"], weights.get(f"{path}.residual.weight")
    found = ACTIVATIONS[module["activation"]](values @ layer.T + weights.get(f"{path}.linear.bias", np.float32(0)))
    if module.get("residual"):
        found = found + (values if residual is None else values @ residual.T)
    return np.asarray(found)


def layer_norm(values: np.ndarray, module: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """As torch.nn.LayerNorm over the numbers of a row."""
    centred = values - values.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt(centred.var(axis=1, keepdims=True) + EPSILON)
    return np.asarray(scaled * weights[f"{module['path']}.norm.weight"] + weights[f"{module['path']}.norm.bias"])


def unit(embeddings: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1. 1e-12 as in torch.nn.functional.normalize: zeros stay zeros."""
    return np.asarray(embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12))


# By the library's class names: numbers of each row, FP32 [B, D], to others, [B, E].
MODULES: dict[str, Callable[[np.ndarray, Mapping[str, Any], Mapping[str, np.ndarray]], np.ndarray]] = {
    "Dense": dense,
    "LayerNorm": layer_norm,
    "Normalize": lambda values, _module, _weights: unit(values),
}


def embed(
    states: np.ndarray,
    attention_mask: np.ndarray,
    modules: Sequence[Mapping[str, Any]],
    weights: Mapping[str, np.ndarray],
) -> np.ndarray:
    """One embedding per row, FP32 [B, E]. states: FP32 [B, tokens, D]; attention_mask: integers [B, tokens].

    modules: first {"type": "Pooling", "modes": names of POOLINGS, whose results are concatenated}, then any of
    {"type": "Normalize"}, {"type": "LayerNorm", "path"} and {"type": "Dense", "path", "activation": a name of
    ACTIVATIONS, "residual": bool}. weights: see WEIGHTS.
    """
    mask = attention_mask.astype(bool)[..., None]
    values = np.concatenate([POOLINGS[mode](states, mask) for mode in modules[0]["modes"]], axis=1).astype(np.float32)
    for module in modules[1:]:
        values = MODULES[module["type"]](values, module, weights).astype(np.float32)
    return values


def without_prompts(attention_mask: np.ndarray, skipped: Sequence[int]) -> np.ndarray:
    """The mask of the tokens that are pooled: without the first `skipped` of each row, which padding follows."""
    if not any(skipped):
        return attention_mask
    is_skipped = np.arange(attention_mask.shape[1])[None, :] < np.array(skipped)[:, None]
    return np.where(is_skipped, 0, attention_mask)


class Answering:
    """Called with the graph's outputs, the states first, and the attention mask; returns a tuple of the embeddings."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Reads the weights of modules in the version folder.

        settings: {"modules": as in `embed`, "normalize": True if the numbers kept are scaled to length 1, "dimensions":
        how many are kept, the usual number first; without it all}
        """
        self.modules, self.normalize = settings["modules"], settings.get("normalize", False)
        self.size: int | None = next(iter(settings.get("dimensions") or ()), None)
        self.weights: dict[str, np.ndarray] = {}
        if (folder / WEIGHTS).exists():
            with np.load(folder / WEIGHTS) as arrays:
                self.weights = dict(arrays)

    def __call__(self, outputs: Sequence[np.ndarray], mask: np.ndarray, choices: Sequence[Any] = ()) -> tuple[Any]:
        """One embedding per row, [B, E]. `choices`: a Choice of request_choices.py for each row, or none at all."""
        pooled = without_prompts(mask, [each.skipped for each in choices])
        embeddings = embed(outputs[0], pooled, self.modules, self.weights)
        sizes = [each.dimensions or self.size for each in choices]
        if len(set(sizes)) <= 1:
            return (self._kept(embeddings, next(iter(sizes), self.size)),)
        return ([self._kept(row[None], size)[0] for row, size in zip(embeddings, sizes, strict=True)],)

    def _kept(self, embeddings: np.ndarray, size: int | None) -> np.ndarray:
        kept = embeddings[:, :size]
        return unit(kept).astype(np.float32) if self.normalize else kept

    def families(self) -> dict[str, Any]:
        """An embedding has no metrics of its own."""
        return {}

    def observations(self, _rows: Sequence[Any]) -> dict[str, Any]:
        """See `families`."""
        return {}
