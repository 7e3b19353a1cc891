"""Step: an encoded image to the detector's input and the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from metric_families import IMAGE_FAMILIES
from model_metrics import ModelMetrics, is_counted
from picture import as_grey, as_input, read
from step_responses import (
    InvalidInputError,
    is_overloaded,
    parameters_of,
    read_settings,
    refuse,
    respond,
    tensors,
    timed,
)


class TritonPythonModel:
    """Detection preprocessing: BYTES [1] -> FP32 [1, H, W, 3] and, for the crops, UINT8 [H0, W0, 1]: grey, upright.

    The recognizer needs grey. A photo of 12 megapixels in colour would not fit in a container's shared memory.
    """

    def initialize(self, args: Mapping[str, str]) -> None:
        """Reads the detector's limits."""
        self.settings = read_settings(args)
        (self.image,) = tensors(args, "input")
        self.images, self.picture = tensors(args, "output")
        self.metrics = ModelMetrics(args, IMAGE_FAMILIES)

    def finalize(self) -> None:
        """Ends the publication of metrics."""
        self.metrics.close()

    @timed
    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answers each request separately."""
        if is_overloaded():
            return refuse(requests)
        return respond(requests, self._answer)

    def _answer(self, request: pb_utils.InferenceRequest) -> dict[str, np.ndarray]:
        parameters_of(request)
        (content,) = pb_utils.get_input_tensor_by_name(request, self.image).as_numpy()
        try:
            image = read(content, self.settings["most_pixels"])
        except ValueError as error:
            raise InvalidInputError(f"input '{self.image}': {error}") from error
        images = as_input(image, self.settings["longest_side"], self.settings["means"])
        if is_counted(request):
            self.metrics.count(images=[1])
        return {self.images: images, self.picture: as_grey(image)[:, :, None]}
