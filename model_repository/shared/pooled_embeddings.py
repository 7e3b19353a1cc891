"""The states of a text's tokens to one embedding, over numpy arrays."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def mean(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean over the tokens that the mask selects, FP32 [B, D]."""
    return np.asarray(np.where(mask, states, 0).sum(axis=1) / np.maximum(mask.sum(axis=1), 1))


def first(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The state of the first token, which is [CLS] if the tokenizer has one."""
    return np.asarray(states[np.arange(len(states)), mask[..., 0].argmax(axis=1)])


def largest(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The largest value of each dimension over the tokens."""
    return np.asarray(np.where(mask, states, -np.inf).max(axis=1))


POOLINGS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"mean": mean, "cls": first, "max": largest}


def pool(
    states: np.ndarray,
    attention_mask: np.ndarray,
    pooling: str,
    normalize: bool,
    truncate_dim: int | None = None,
    normalize_truncated: bool = False,
) -> np.ndarray:
    """One embedding per row, FP32 [B, D], of length 1 if `normalize`.

    states: FP32 [B, tokens, D]; attention_mask: integers [B, tokens]. truncate_dim: how many of the D numbers are kept,
    after `normalize`; None keeps all. normalize_truncated: the kept numbers are scaled to length 1.
    """
    embeddings = POOLINGS[pooling](states, attention_mask.astype(bool)[..., None])
    if normalize:
        embeddings = unit(embeddings)
    embeddings = embeddings[:, :truncate_dim]
    if normalize_truncated:
        embeddings = unit(embeddings)
    return embeddings.astype(np.float32)


def unit(embeddings: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1. 1e-12 as in torch.nn.functional.normalize: zeros stay zeros."""
    return np.asarray(embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12))


class Answering:
    """Called with the graph's outputs, the states first, and the attention mask; returns a tuple of the embeddings."""

    def __init__(self, folder: Path) -> None:
        """Reads settings.json: {"pooling": a name of POOLINGS, "normalize": bool} and optional arguments of `pool`."""
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        names = ("pooling", "normalize", "truncate_dim", "normalize_truncated")
        self.settings = {name: settings[name] for name in names if name in settings}

    def __call__(self, outputs: Sequence[np.ndarray], mask: np.ndarray) -> tuple[np.ndarray]:
        """One embedding per row."""
        return (pool(outputs[0], mask, **self.settings),)

    def families(self) -> dict[str, Any]:
        """An embedding has no metrics of its own."""
        return {}

    def observations(self, _rows: Sequence[Any]) -> dict[str, Any]:
        """See `families`."""
        return {}
