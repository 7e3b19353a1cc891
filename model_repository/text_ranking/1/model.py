"""Step: the logit of each pair of texts to its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from scoring import SCORE_FUNCTIONS
from step_responses import InvalidResultError, read_settings, respond, tensors


class TritonPythonModel:
    """Text ranking: FP32 [B, 1] -> FP32 [B, 1], higher if the text answers its query better."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Reads the activation."""
        self.activation = SCORE_FUNCTIONS[read_settings(args)["activation"]]
        (self.logits,), (self.scores,) = tensors(args, "input"), tensors(args, "output")

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answers each request separately."""
        return respond(requests, self._answer)

    def _answer(self, request: pb_utils.InferenceRequest) -> dict[str, np.ndarray]:
        logits = pb_utils.get_input_tensor_by_name(request, self.logits).as_numpy()
        if not np.isfinite(logits).all():
            raise InvalidResultError("the model's logits are not finite for this input: there is no score")
        return {self.scores: self.activation(logits.astype(np.float32))}
