"""Step: the states of all tokens in, one embedding a text out."""

import numpy as np
import triton_python_backend_utils as pb_utils
from pooled_embeddings import Answering
from step_responses import InvalidResultError, respond, tensors, version_folder


class TritonPythonModel:
    """Pooling: attention mask [B, tokens] and FP32 [B, tokens, D] -> FP32 [B, D]."""

    def initialize(self, args):
        """Reads how the tokens' states become one embedding."""
        self.answering = Answering(version_folder(args))
        self.mask, self.states = tensors(args, "input")
        (self.embedding,) = tensors(args, "output")

    def execute(self, requests):
        """Answers each request by itself."""
        return respond(requests, self._answer)

    def _answer(self, request):
        mask, states = (pb_utils.get_input_tensor_by_name(request, name) for name in (self.mask, self.states))
        (embeddings,) = self.answering([states.as_numpy()], mask.as_numpy())
        if not np.isfinite(embeddings).all():
            raise InvalidResultError("the model's numbers are not finite for this input: no embedding can be given")
        return {self.embedding: embeddings}
