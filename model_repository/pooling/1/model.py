"""Step: the states of all tokens to one embedding per text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from pooled_embeddings import Answering
from request_choices import Choices
from step_responses import InvalidResultError, read_settings, respond, tensors, timed, version_folder


class TritonPythonModel:
    """Pooling: attention mask [B, tokens] and FP32 [B, tokens, D] -> FP32 [B, E]."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Reads the settings and the weights of the modules."""
        settings = read_settings(args)
        self.answering, self.choices = Answering(version_folder(args), settings), Choices(settings)
        self.mask, self.states = tensors(args, "input")
        (self.embedding,) = tensors(args, "output")

    @timed
    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answers each request separately."""
        return respond(requests, self._answer)

    def _answer(self, request: pb_utils.InferenceRequest) -> dict[str, np.ndarray]:
        mask, states = (pb_utils.get_input_tensor_by_name(request, name) for name in (self.mask, self.states))
        choices = [self.choices.of(request)] * len(mask.as_numpy())
        (embeddings,) = self.answering([states.as_numpy()], mask.as_numpy(), choices)
        if not np.isfinite(embeddings).all():
            raise InvalidResultError("the model's numbers are not finite for this input: there is no embedding")
        return {self.embedding: embeddings}
