"""Step: the recognizer's logits and the boxes to words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from ctc import decode
from metric_families import WORD_FAMILIES
from model_metrics import ModelMetrics, is_counted
from step_responses import InvalidResultError, respond, tensors, timed, version_folder


class TritonPythonModel:
    """Recognition post-processing: FP32 [N or more, T, C] and boxes [N, 4, 2], in this order -> BYTES [N]."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Reads the alphabet: {"0": "", "1": "a", ...}, 0 is the blank."""
        alphabet = json.loads((version_folder(args) / "alphabet.json").read_text(encoding="utf-8"))
        self.alphabet = [alphabet[str(index)] for index in range(len(alphabet))]
        self.logits, self.boxes = tensors(args, "input")
        (self.words,) = tensors(args, "output")
        self.metrics = ModelMetrics(args, WORD_FAMILIES)

    def finalize(self) -> None:
        """Ends the publication of metrics."""
        self.metrics.close()

    @timed
    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answers each request separately."""
        return respond(requests, self._answer)

    def _answer(self, request: pb_utils.InferenceRequest) -> dict[str, np.ndarray]:
        logits, boxes = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in (self.logits, self.boxes)
        )
        if not np.isfinite(logits).all():
            raise InvalidResultError("the recognizer's logits are not finite for this image: there are no words")
        if len(logits) < len(boxes) or logits.shape[2] != len(self.alphabet):
            raise InvalidResultError(
                f"the recognizer returned logits of shape {list(logits.shape)} for {len(boxes)} boxes and an alphabet "
                f"of {len(self.alphabet)}; the shape must be [boxes, frames, symbols]"
            )
        words = decode(logits[: len(boxes)], self.alphabet)
        if is_counted(request):
            self.metrics.count(words=[len(words)])
        return {self.words: np.array([word.encode("utf-8") for word in words], dtype=np.object_)}
