"""Step: texts, or pairs of texts, to token arrays with the graph's names and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils
from step_responses import InvalidInputError, is_overloaded, read_settings, refuse, respond, tensors, version_folder
from tokenization import arrays, decode_rows, joined, load_tokenizer, tokenize


class TritonPythonModel:
    """Text preprocessing: one or two BYTES [B, 1] -> integer arrays [B, tokens]."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the frozen tokenizer."""
        settings = read_settings(args)
        self.tokenizer = load_tokenizer(version_folder(args) / "tokenizer.json", settings, padded=False)
        self.padding, self.keeps_empty_pair = settings["padding"], settings.get("keeps_empty_pair", False)
        self.inputs = list(tensors(args, "input"))
        self.dtypes = tensors(args, "output")

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Pads each request to its longest text, or to a bucket if the graph's step merges requests."""
        if is_overloaded():
            return refuse(requests)
        return respond(requests, self._answer)

    def _answer(self, request: pb_utils.InferenceRequest) -> dict[str, np.ndarray]:
        columns = [(pb_utils.get_input_tensor_by_name(request, name).as_numpy(), name) for name in self.inputs]
        try:
            rows = joined([decode_rows(values, name) for values, name in columns], self.keeps_empty_pair)
            return arrays(tokenize(self.tokenizer, rows, self.inputs[0]), self.dtypes, self.padding)
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
