"""The served model: a text and any labels to the labels with their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter

import numpy as np
import triton_python_backend_utils as pb_utils
from entailment_scores import best_first, decode_labels, encode, truncate_texts
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
    """Zero-shot classification: text BYTES [B, 1], labels BYTES [B, L] -> labels BYTES and scores FP32, both [B, L]."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the frozen tokenizer, which truncates the text only; the graph call pads."""
        self.settings = read_settings(args)
        whole = {**self.settings["tokenization"], "max_length": None, "padding": None}
        self.tokenizer = load_tokenizer(version_folder(args) / "tokenizer.json", whole)
        truncate_texts(self.tokenizer, self.settings["tokenization"])
        self.graph = GraphCall(self.settings["graph"])
        self.inputs = list(tensors(args, "input"))
        self.outputs = list(tensors(args, "output"))
        self.metrics = ModelMetrics(args, {**TEXT_FAMILIES, **SECONDS_FAMILY, **score_family()})

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
        text_array, label_array = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs)
        template = self.settings["hypothesis_template"]
        try:
            texts, labels = decode_rows(text_array, self.inputs[0]), decode_labels(label_array, self.inputs[1])
            rows = enumerate(zip(texts, labels, strict=True))
            pairs = [encode(self.tokenizer, *pair, template, row, self.inputs) for row, pair in rows]
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
        encodings = [encoding for row in pairs for encoding in row]
        started, lengths = perf_counter(), lengths_of(encodings)
        answers = self.graph(encodings)
        logits = np.stack([next(iter(answer.values())) for answer in answers]).reshape(len(texts), len(labels[0]), -1)
        if not np.isfinite(logits).all():
            raise InvalidResultError("the model's logits are not finite for this input: no label can be given")
        ranked = [best_first(*each, self.settings) for each in zip(labels, logits, strict=True)]
        predicts, scores = zip(*ranked, strict=True)
        if is_counted(request):
            self.metrics.count_texts([request], [encodings], [lengths])
            self.metrics.count(seconds=[perf_counter() - started], scores=[float(each[0]) for each in scores])
        columns = (np.array(predicts, dtype=np.object_), np.array(scores, dtype=np.float32))
        return dict(zip(self.outputs, columns, strict=True))
