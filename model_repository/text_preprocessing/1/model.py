"""Step: texts, or pairs of texts, to token arrays with the graph's names and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import triton_python_backend_utils as pb_utils
from metric_families import TEXT_FAMILIES
from model_metrics import ModelMetrics, lengths_of
from request_choices import Choices
from step_responses import (
    InvalidInputError,
    attempt,
    is_overloaded,
    read_settings,
    refuse,
    respond,
    tensors,
    timed,
    version_folder,
)
from tokenization import arrays, decode_rows, joined, load_tokenizer, prompted, tokenize
from tokenizers import Encoding


class TritonPythonModel:
    """Text preprocessing: one or two BYTES [B, 1] -> integer arrays [B, tokens]."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the frozen tokenizer."""
        settings = read_settings(args)
        self.tokenizer = load_tokenizer(version_folder(args) / "tokenizer.json", settings, padded=False)
        self.padding, self.keeps_empty_pair = settings["padding"], settings.get("keeps_empty_pair", False)
        self.choices, self.inputs = Choices(settings), list(tensors(args, "input"))
        self.dtypes = tensors(args, "output")
        self.metrics = ModelMetrics(args, TEXT_FAMILIES)

    def finalize(self) -> None:
        """Ends the publication of metrics."""
        self.metrics.close()

    @timed
    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Pads each request to its longest text, or to a bucket if the graph's step merges requests."""
        if is_overloaded():
            return refuse(requests)
        encoded = [attempt(self._encodings, request) for request in requests]
        lengths = [lengths_of(rows) for rows in encoded]
        responses = respond(encoded, lambda rows: arrays(rows, self.dtypes, self.padding))
        self.metrics.count_texts(requests, encoded, lengths)
        return responses

    def _encodings(self, request: pb_utils.InferenceRequest) -> list[Encoding]:
        choice = self.choices.of(request)
        columns = [(pb_utils.get_input_tensor_by_name(request, name).as_numpy(), name) for name in self.inputs]
        try:
            texts = prompted([decode_rows(values, name) for values, name in columns], choice.prompt)
            return tokenize(self.tokenizer, joined(texts, self.keeps_empty_pair), self.inputs[0], choice.skipped)
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
