"""Step: logits in, labels and scores out."""

import numpy as np
import triton_python_backend_utils as pb_utils
from ranked_labels import Answering
from step_responses import InvalidResultError, respond, tensors, version_folder


class TritonPythonModel:
    """Post-processing: FP32 [B, C] -> labels BYTES [B, K], best first, and their scores FP32 [B, K]."""

    def initialize(self, args):
        """Reads the labels and how logits become scores."""
        self.answering = Answering(version_folder(args))
        (self.logits,) = tensors(args, "input")
        self.outputs = list(tensors(args, "output"))

    def execute(self, requests):
        """Answers each request by itself."""
        return respond(requests, self._answer)

    def _answer(self, request):
        logits = pb_utils.get_input_tensor_by_name(request, self.logits).as_numpy()
        if not np.isfinite(logits).all():
            raise InvalidResultError("the model's logits are not finite for this input: no label can be given")
        return dict(zip(self.outputs, self.answering([logits])))
