"""Step: logits to labels and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from model_metrics import ModelMetrics, is_counted
from ranked_labels import Answering
from step_responses import InvalidResultError, read_settings, respond, tensors, timed, version_folder


class TritonPythonModel:
    """Post-processing: FP32 [B, C] -> labels BYTES [B, K], best first, and their scores FP32 [B, K]."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Reads the labels and the score function."""
        self.answering = Answering(version_folder(args), read_settings(args))
        (self.logits,) = tensors(args, "input")
        self.outputs = list(tensors(args, "output"))
        self.metrics = ModelMetrics(args, self.answering.families())

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
            raise InvalidResultError("the model's logits are not finite for this input: no label can be given")
        answers = self.answering([logits])
        if self.metrics.is_on and is_counted(request):
            self.metrics.count(**self.answering.observations(list(zip(*answers, strict=True))))
        return dict(zip(self.outputs, answers, strict=True))
