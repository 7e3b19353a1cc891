"""Step: the one logit of each pair of texts in, its score out."""

import numpy as np
import triton_python_backend_utils as pb_utils
from scoring import SCORE_FUNCTIONS
from step_responses import InvalidResultError, read_settings, respond, tensors


class TritonPythonModel:
    """Text ranking: FP32 [B, 1] -> FP32 [B, 1], the higher the better a text answers its query."""

    def initialize(self, args):
        """Reads how a logit becomes a score."""
        self.activation = SCORE_FUNCTIONS[read_settings(args)["activation"]]
        (self.logits,), (self.scores,) = tensors(args, "input"), tensors(args, "output")

    def execute(self, requests):
        """Answers each request by itself."""
        return respond(requests, self._answer)

    def _answer(self, request):
        logits = pb_utils.get_input_tensor_by_name(request, self.logits).as_numpy()
        if not np.isfinite(logits).all():
            raise InvalidResultError("the model's logits are not finite for this input: no score can be given")
        return {self.scores: self.activation(logits.astype(np.float32))}
