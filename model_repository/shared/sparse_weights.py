"""The weights of a whole vocabulary to the tokens above zero and their weights, over numpy arrays."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# What fills the rows of a request up to its longest: no token has this id, and the weight is 0.
PADDING = -1


def selected(weights: np.ndarray, top_k: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Of one text's weights, FP32 [V], the ids INT64 [N] of the `top_k` largest above zero, ascending, and these.

    None selects all. For equal weights at the limit the lower id is taken.
    """
    ids = np.flatnonzero(weights > 0)
    if top_k is not None and len(ids) > top_k:
        ids = np.sort(ids[np.argsort(-weights[ids], kind="stable")[:top_k]])
    return ids.astype(np.int64), weights[ids].astype(np.float32)


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """The rows of one kind as [B, N], N the longest and at least 1: ids are filled with PADDING, weights with 0."""
    longest = max(1, *map(len, rows))
    fill = PADDING if rows[0].dtype == np.int64 else 0
    return np.stack([np.pad(row, (0, longest - len(row)), constant_values=fill) for row in rows])


class Answering:
    """Called with the graph's outputs, FP32 [B, V] first; returns a list of ids and one of weights, a row a text."""

    def __init__(self, _folder: Path, settings: Mapping[str, Any]) -> None:
        """settings: {"top_k": a number, or None for all}."""
        self.top_k = settings["top_k"]

    def __call__(
        self, outputs: Sequence[np.ndarray], _mask: np.ndarray | None = None, choices: Sequence[Any] = ()
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The ids and weights of each row, not padded. `choices`: a Choice of request_choices.py each, or none."""
        limits = [each.top_k or self.top_k for each in choices] or [self.top_k] * len(outputs[0])
        ids, weights = zip(*map(selected, outputs[0], limits), strict=True)
        return list(ids), list(weights)

    def stack(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """The rows of a request as one array."""
        return padded(rows)

    def families(self) -> dict[str, Any]:
        """An embedding has no metrics of its own."""
        return {}

    def observations(self, _rows: Sequence[Any]) -> dict[str, Any]:
        """See `families`."""
        return {}
