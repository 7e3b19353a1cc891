"""The served model: a question and a context to the part of the context that answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter

import numpy as np
import triton_python_backend_utils as pb_utils
from answer_spans import best_answer, spans
from graph_call import GraphCall
from metric_families import SECONDS_FAMILY, TEXT_FAMILIES, score_family
from model_metrics import ModelMetrics, is_counted, lengths_of
from step_responses import (
    InvalidInputError,
    InvalidResultError,
    is_overloaded,
    parameters_of,
    read_settings,
    refuse,
    respond,
    tensors,
    timed,
    version_folder,
)
from tokenization import decode_rows, load_tokenizer


class TritonPythonModel:
    """Question answering: two BYTES [B, 1] -> answer BYTES, score FP32, start and end INT64, each [B, 1]."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the frozen tokenizer without truncation: a long context becomes several rows."""
        self.settings = read_settings(args)
        whole = {**self.settings["tokenization"], "max_length": None, "padding": None}
        self.tokenizer = load_tokenizer(version_folder(args) / "tokenizer.json", whole)
        self.graph = GraphCall(self.settings["graph"])
        self.inputs = list(tensors(args, "input"))
        self.outputs = tensors(args, "output")
        families = {**TEXT_FAMILIES, **SECONDS_FAMILY, **score_family()}
        del families["truncated"]  # a long context is split instead
        self.metrics = ModelMetrics(args, families)

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
        columns = [(pb_utils.get_input_tensor_by_name(request, name).as_numpy(), name) for name in self.inputs]
        try:
            questions, contexts = (decode_rows(values, name) for values, name in columns)
            pairs = enumerate(zip(questions, contexts, strict=True))
            rows = [spans(self.tokenizer, *pair, self.settings, row, self.inputs) for row, pair in pairs]
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
        encodings = [span for row in rows for span in row]
        started, lengths = perf_counter(), lengths_of(encodings)
        logits = iter(self.graph(encodings))
        answers = []
        for context, row in zip(contexts, rows, strict=True):
            scored = [(span, *next(logits).values()) for span in row]
            if not all(np.isfinite(each).all() for _, *pair in scored for each in pair):
                raise InvalidResultError("the model's logits are not finite for this input: there is no answer")
            answers.append(best_answer(context, scored, self.settings))
        if is_counted(request):
            self.metrics.count_texts([request], [encodings], [lengths])
            self.metrics.count(seconds=[perf_counter() - started], scores=[score for _, score, *_ in answers])
        results = zip(self.outputs.items(), zip(*answers, strict=True), strict=True)
        return {name: np.array(column, dtype=dtype).reshape(-1, 1) for (name, dtype), column in results}
