"""Step: the weights of a whole vocabulary to the tokens above zero and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from request_choices import Choices
from sparse_weights import Answering
from step_responses import InvalidResultError, read_settings, respond, tensors, timed, version_folder


class TritonPythonModel:
    """Sparse embedding: FP32 [B, V] -> INT64 [B, N] and FP32 [B, N]."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Reads the number of weights to keep."""
        settings = read_settings(args)
        self.answering, self.choices = Answering(version_folder(args), settings), Choices(settings)
        (self.input,), self.outputs = tensors(args, "input"), list(tensors(args, "output"))

    @timed
    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answers each request separately."""
        return respond(requests, self._answer)

    def _answer(self, request: pb_utils.InferenceRequest) -> dict[str, np.ndarray]:
        weights = pb_utils.get_input_tensor_by_name(request, self.input).as_numpy()
        if not np.isfinite(weights).all():
            raise InvalidResultError("the model's numbers are not finite for this input: there is no embedding")
        columns = self.answering([weights], choices=[self.choices.of(request)] * len(weights))
        return {name: self.answering.stack(rows) for name, rows in zip(self.outputs, columns, strict=True)}
