"""A classifier's logits to its best labels and their scores."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scoring import best


class Answering:
    """Called with the graph's outputs, FP32 [B, C] first; returns labels BYTES [B, K], best first, and scores FP32."""

    def __init__(self, folder: Path) -> None:
        """Reads id2label.json and settings.json of the version folder."""
        self.settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        id2label = json.loads((folder / "id2label.json").read_text(encoding="utf-8"))
        self.labels = [id2label[str(index)].encode("utf-8") for index in range(len(id2label))]

    def __call__(self, outputs: Sequence[np.ndarray], _mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The K best labels of each row."""
        return best(outputs[0], self.settings["score_function"], self.labels, self.settings["top_k"])
