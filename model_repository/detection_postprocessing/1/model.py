"""Step: the detector's maps and the picture to crops for the recognizer, boxes and scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from boxes import locate
from crops import crop
from step_responses import InvalidResultError, read_settings, respond, tensors, timed


class TritonPythonModel:
    """Detection post-processing of one image. Inputs and outputs, in this order:

    scores FP32 [1, H, W, 1], geometry FP32 [1, H, W, 5] and the picture UINT8 [H0, W0, 1] ->
    crops FP32 [N, 1, h, w], boxes FP32 [N, 4, 2] in pixels of the picture, scores FP32 [N]; h and w from the config.
    """

    def initialize(self, args: Mapping[str, str]) -> None:
        """Reads the thresholds."""
        self.settings = read_settings(args)
        self.maps = list(tensors(args, "input"))
        self.crops, self.boxes, self.scores = tensors(args, "output")
        self.size = [int(dim) for dim in json.loads(args["model_config"])["output"][0]["dims"][-2:]]

    @timed
    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answers each request separately."""
        return respond(requests, self._answer)

    def _answer(self, request: pb_utils.InferenceRequest) -> dict[str, np.ndarray]:
        maps = [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.maps]
        scores, geometry, picture = maps
        if not (np.isfinite(scores).all() and np.isfinite(geometry).all()):
            raise InvalidResultError("the detector's maps are not finite for this image: there are no boxes")
        boxes, box_scores = locate(scores, geometry, picture.shape[1::-1], **self.settings)
        # An image without text gets one blank crop, which the last step drops. ONNX Runtime on the CPU accepts a tensor
        # without rows, but other engines of a recognizer may not (TensorRT does not).
        crops = crop(picture[:, :, 0], boxes, *self.size) if len(boxes) else np.zeros((1, 1, *self.size), np.float32)
        return {self.crops: crops, self.boxes: boxes, self.scores: box_scores}
