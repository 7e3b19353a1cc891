"""Step: the logits of each pair of texts to its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from metric_families import score_family
from model_metrics import ModelMetrics, is_counted
from scoring import SCORE_FUNCTIONS
from step_responses import InvalidResultError, read_settings, respond, tensors, timed


class TritonPythonModel:
    """Text ranking: FP32 [B, C] -> FP32 [B, C], higher if the text answers its query better."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Reads the activation."""
        name = read_settings(args)["activation"]
        self.activation = SCORE_FUNCTIONS[name]
        (self.logits,), (self.scores,) = tensors(args, "input"), tensors(args, "output")
        self.metrics = ModelMetrics(args, score_family(name))

    def finalize(self) -> None:
        """Ends the publication of metrics."""
        self.metrics.close()

    @timed
    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answers each request separately."""
        return respond(requests, self._answer)

    def _answer(self, request: pb_utils.InferenceRequest) -> dict[str, np.ndarray]:
        logits = pb_utils.get_input_tensor_by_name(request, self.logits).as_numpy()
        if not np.isfinite(logits).all():
            raise InvalidResultError("the model's logits are not finite for this input: there is no score")
        scores = self.activation(logits.astype(np.float32))
        if is_counted(request):
            self.metrics.count(scores=scores.max(axis=1).tolist())
        return {self.scores: scores}
