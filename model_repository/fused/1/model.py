"""The whole task in one process: texts to tokens, the graph, and its outputs to answers."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from container_limits import share_of
from metric_families import SECONDS_FAMILY, TEXT_FAMILIES
from model_metrics import ModelMetrics, is_counted, lengths_of
from request_choices import Choice, Choices, Rows
from step_responses import (
    InvalidInputError,
    InvalidResultError,
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
    """One or two BYTES [B, 1] -> the task's answer, as from the ensemble's steps."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads the tokenizer, the graph, and the module that converts the graph's outputs to answers."""
        folder, self.settings = version_folder(args), read_settings(args)
        self.tokenizer = load_tokenizer(folder / "tokenizer.json", self.settings, padded=False)
        engine = import_module(self.settings["engine"] + "_session")
        self.session = engine.GraphSession(folder / "model.onnx", self.settings, share_of(args))
        self.answering = import_module(self.settings["answering"]).Answering(folder, self.settings)
        self.choices = Choices(self.settings)
        self.inputs, self.outputs = list(tensors(args, "input")), list(tensors(args, "output"))
        self.session.warm([self._feed([each]) for each in self._warm_up()])
        self.metrics = ModelMetrics(args, {**TEXT_FAMILIES, **SECONDS_FAMILY, **self.answering.families()})

    def finalize(self) -> None:
        """Ends the publication of metrics."""
        self.metrics.close()

    @timed
    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Runs the rows of all requests together, grouped by length. An invalid request does not fail the others."""
        if is_overloaded():
            return refuse(requests)
        started = perf_counter()
        encoded = [attempt(self._encodings, request) for request in requests]
        lengths = [lengths_of(rows) for rows in encoded]
        chosen = [(row, rows.choice) for rows in encoded if isinstance(rows, Rows) for row in rows]
        answers = iter(self._answers([row for row, _ in chosen], [choice for _, choice in chosen]))
        answered = [[next(answers) for _ in rows] if isinstance(rows, list) else rows for rows in encoded]
        responses = respond(answered, self._response, map(truncation, encoded))
        self.metrics.count_texts(requests, encoded, lengths)
        self._count_answers(requests, answered, perf_counter() - started)
        return responses

    def _count_answers(
        self, requests: Sequence[pb_utils.InferenceRequest], answered: Sequence[Any], seconds: float
    ) -> None:
        pairs = zip(requests, answered, strict=True)
        kept = [rows for request, rows in pairs if isinstance(rows, list) and is_counted(request)]
        if self.metrics.is_on and kept:
            rows = [row for rows in kept for row in rows if not isinstance(row, Exception)]
            self.metrics.count(seconds=[seconds], **self.answering.observations(rows))

    def _encodings(self, request: pb_utils.InferenceRequest) -> Rows:
        choice = self.choices.of(request)
        columns = [(pb_utils.get_input_tensor_by_name(request, name).as_numpy(), name) for name in self.inputs]
        try:
            texts = prompted([decode_rows(values, name) for values, name in columns], choice.prompt)
            pairs = joined(texts, self.settings.get("keeps_empty_pair", False))
            return Rows(tokenize(self.tokenizer, pairs, self.inputs[0], choice.skipped), choice)
        except ValueError as error:
            raise InvalidInputError(str(error)) from error

    def _warm_up(self) -> list[Encoding]:
        texts = [text if isinstance(text, str) else tuple(text) for text in self.settings["warm_up"]]
        encodings: list[Encoding] = self.tokenizer.encode_batch(texts)
        return [each for each in encodings if any(each.attention_mask)]

    def _answers(self, encodings: Sequence[Encoding], choices: Sequence[Choice]) -> list[Any]:
        """One answer per row, in order: its arrays, or an error. Only a model with choices is given those."""
        answers: list[Any] = [None] * len(encodings)
        batches = self.session.batches([len(each.ids) for each in encodings])
        feeds = [self._feed([encodings[index] for index in indices], length) for indices, length in batches]
        for (indices, _), feed, outputs in zip(batches, feeds, self.session.run(feeds), strict=True):
            chosen = ([choices[index] for index in indices],) if self.choices.exist else ()
            rows = zip(*self.answering(outputs, feed["attention_mask"], *chosen), strict=True)
            for index, row, finite in zip(indices, rows, all_finite(outputs), strict=True):
                answers[index] = row if finite else InvalidResultError(NOT_FINITE)
        return answers

    def _feed(self, encodings: Sequence[Encoding], length: int | None = None) -> dict[str, np.ndarray]:
        padding = self.settings["padding"] and {"length": length, **self.settings["padding"]}
        return arrays(encodings, {"attention_mask": np.int64, **self.session.dtypes}, padding)

    def _response(self, rows: Sequence[Any]) -> dict[str, np.ndarray]:
        for row in rows:
            if isinstance(row, Exception):
                raise row
        stack = getattr(self.answering, "stack", np.stack)  # rows of sparse embeddings have different lengths
        columns = (stack(column) for column in zip(*rows, strict=True))
        return dict(zip(self.outputs, columns, strict=True))


NOT_FINITE = "the model's logits are not finite for this input: no label can be given"


def all_finite(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Per row, True if every output has only finite numbers."""
    return np.asarray(np.logical_and.reduce([np.isfinite(each.reshape(len(each), -1)).all(axis=1) for each in outputs]))


def truncation(encodings: Any) -> dict[str, str]:
    """The response parameter `truncated`: the numbers of the rows that lost tokens, such as "0,3".

    `encodings`: one request's Encodings, or its error. Empty if none was truncated, and before release 25.02, whose
    responses have no parameters.
    """
    if not isinstance(encodings, list):
        return {}
    rows = [str(row) for row, encoding in enumerate(encodings) if encoding.overflowing]
    return {"truncated": ",".join(rows)} if rows and _has_response_parameters() else {}


@functools.cache
def _has_response_parameters() -> bool:
    try:
        pb_utils.InferenceResponse([], None, {})
    except TypeError:
        return False
    return True
