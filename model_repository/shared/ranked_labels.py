"""A classifier's logits to its best labels and their scores, by the files of the version folder."""

import json

from scoring import best


class Answering:
    """Called with the graph's outputs, FP32 [B, C] first: labels BYTES [B, K], best first, and scores FP32 [B, K]."""

    def __init__(self, folder):
        """Reads id2label.json and, from settings.json, how logits become scores."""
        self.settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        id2label = json.loads((folder / "id2label.json").read_text(encoding="utf-8"))
        self.labels = [id2label[str(index)].encode("utf-8") for index in range(len(id2label))]

    def __call__(self, outputs, _mask=None):
        """The K best of each row."""
        return best(outputs[0], self.settings["score_function"], self.labels, self.settings["top_k"])
