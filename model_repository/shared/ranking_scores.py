"""A cross-encoder's logits to its scores, by the settings of the version folder."""

import json

import numpy as np
from scoring import SCORE_FUNCTIONS


class Answering:
    """Called with the graph's outputs, FP32 [B, 1] first: the scores, FP32 [B, 1], alone in a tuple."""

    def __init__(self, folder):
        """Reads settings.json: {"activation": a name of SCORE_FUNCTIONS}."""
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        self.activation = SCORE_FUNCTIONS[settings["activation"]]

    def __call__(self, outputs, _mask=None):
        """One score a row."""
        return (self.activation(outputs[0].astype(np.float32)),)
