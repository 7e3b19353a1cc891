"""Step: logits in, labels and scores out."""

import json

import numpy as np
import triton_python_backend_utils as pb_utils
from scoring import best
from step_responses import InvalidResultError, read_settings, respond, tensors, version_folder


class TritonPythonModel:
    """Post-processing: FP32 [B, C] -> labels BYTES [B, K], best first, and their scores FP32 [B, K]."""

    def initialize(self, args):
        """Reads the labels and how logits become scores."""
        self.settings = read_settings(args)
        id2label = json.loads((version_folder(args) / "id2label.json").read_text(encoding="utf-8"))
        self.labels = [id2label[str(index)].encode("utf-8") for index in range(len(id2label))]
        (self.logits,) = tensors(args, "input")
        self.predicts, self.scores = tensors(args, "output")

    def execute(self, requests):
        """Answers each request by itself."""
        return respond(requests, self._answer)

    def _answer(self, request):
        logits = pb_utils.get_input_tensor_by_name(request, self.logits).as_numpy()
        if not np.isfinite(logits).all():
            raise InvalidResultError("the model's logits are not finite for this input: no label can be given")
        predicts, scores = best(logits, self.settings["score_function"], self.labels, self.settings["top_k"])
        return {self.predicts: predicts, self.scores: scores}
