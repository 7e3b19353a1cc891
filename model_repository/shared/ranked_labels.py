"""A classifier's logits to its best labels and their scores."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from metric_families import Family, label_family, score_family
from scoring import best


class Answering:
    """Called with the graph's outputs, FP32 [B, C] first; returns labels BYTES [B, K], best first, and scores FP32."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Reads id2label.json of the version folder. settings: {"score_function", "top_k"}, as of `best`."""
        self.settings = settings
        id2label = json.loads((folder / "id2label.json").read_text(encoding="utf-8"))
        self.texts = [id2label[str(index)] for index in range(len(id2label))]
        self.labels = [text.encode("utf-8") for text in self.texts]

    def __call__(
        self, outputs: Sequence[np.ndarray], _mask: np.ndarray | None = None, _choices: Sequence[Any] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """The K best labels of each row."""
        return best(outputs[0], self.settings["score_function"], self.labels, self.settings["top_k"])

    def families(self) -> dict[str, Family]:
        """The metrics of an answer: its best label, and the score of that."""
        return {**label_family(self.texts), **score_family(self.settings["score_function"])}

    def observations(self, rows: Sequence[Sequence[np.ndarray]]) -> dict[str, Sequence[Any]]:
        """The values of `families` in answers, each (labels [K], scores [K])."""
        return {"labels": [labels[0] for labels, _ in rows], "scores": [float(scores[0]) for _, scores in rows]}
