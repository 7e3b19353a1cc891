"""A cross-encoder's logits to its scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from metric_families import Family, score_family
from scoring import SCORE_FUNCTIONS


class Answering:
    """Called with the graph's outputs, FP32 [B, C] first; returns a tuple of the scores, FP32 [B, C]."""

    def __init__(self, _folder: Path, settings: Mapping[str, Any]) -> None:
        """settings: {"activation": a name of SCORE_FUNCTIONS}."""
        self.name: str = settings["activation"]
        self.activation = SCORE_FUNCTIONS[self.name]

    def __call__(
        self, outputs: Sequence[np.ndarray], _mask: np.ndarray | None = None, _choices: Sequence[Any] = ()
    ) -> tuple[np.ndarray]:
        """One score per row and output of the head."""
        return (self.activation(outputs[0].astype(np.float32)),)

    def families(self) -> dict[str, Family]:
        """The metrics of an answer: its best score."""
        return score_family(self.name)

    def observations(self, rows: Sequence[Sequence[np.ndarray]]) -> dict[str, Sequence[float]]:
        """The values of `families` in answers, each a tuple of the scores [C]."""
        return {"scores": [float(scores.max()) for (scores,) in rows]}
