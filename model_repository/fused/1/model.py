"""The whole task in one process: texts to tokens, the graph by the engine, its outputs to answers."""

from importlib import import_module

import numpy as np
import triton_python_backend_utils as pb_utils
from step_responses import (
    InvalidInputError,
    InvalidResultError,
    attempt,
    is_overloaded,
    read_settings,
    refuse,
    respond,
    tensors,
    version_folder,
)
from tokenization import arrays, decode_rows, joined, load_tokenizer, tokenize


class TritonPythonModel:
    """One or two BYTES [B, 1] -> the task's answer, as the steps of the ensemble give it."""

    def initialize(self, args):
        """Loads tokenizer and graph, and the module that turns the graph's outputs into answers."""
        folder, self.settings = version_folder(args), read_settings(args)
        self.tokenizer = load_tokenizer(folder / "tokenizer.json", self.settings, padded=False)
        engine = import_module(self.settings["engine"] + "_session")
        self.session = engine.GraphSession(folder / "model.onnx", self.settings)
        self.answering = import_module(self.settings["answering"]).Answering(folder)
        self.inputs, self.outputs = list(tensors(args, "input")), list(tensors(args, "output"))
        self.session.warm([self._feed([each]) for each in self._warm_up()])

    def execute(self, requests):
        """The rows of all requests run together, like lengths side by side; no bad one costs another its answer."""
        if is_overloaded():
            return refuse(requests)
        asked = [attempt(self._encodings, request) for request in requests]
        answers = iter(self._answers([row for rows in asked if isinstance(rows, list) for row in rows]))
        return respond(asked, lambda rows: self._response([next(answers) for _ in rows]))

    def _encodings(self, request):
        columns = [(pb_utils.get_input_tensor_by_name(request, name).as_numpy(), name) for name in self.inputs]
        try:
            texts = [decode_rows(values, name) for values, name in columns]
            pairs = joined(texts, self.settings.get("keeps_empty_pair", False))
            return tokenize(self.tokenizer, pairs, self.inputs[0])
        except ValueError as error:
            raise InvalidInputError(str(error)) from error

    def _warm_up(self):
        texts = [text if isinstance(text, str) else tuple(text) for text in self.settings["warm_up"]]
        return [each for each in self.tokenizer.encode_batch(texts) if any(each.attention_mask)]

    def _answers(self, encodings):
        """One answer a row, in order: its arrays, or the error that stands for them."""
        answers = [None] * len(encodings)
        batches = self.session.batches([len(each.ids) for each in encodings])
        feeds = [self._feed([encodings[place] for place in places], length) for places, length in batches]
        for (places, _), feed, outputs in zip(batches, feeds, self.session.run(feeds)):
            rows = zip(*self.answering(outputs, feed["attention_mask"]))
            for place, row, finite in zip(places, rows, all_finite(outputs)):
                answers[place] = row if finite else InvalidResultError(NOT_FINITE)
        return answers

    def _feed(self, encodings, length=None):
        padding = self.settings["padding"] and {"length": length, **self.settings["padding"]}
        return arrays(encodings, {"attention_mask": np.int64, **self.session.dtypes}, padding)

    def _response(self, rows):
        for row in rows:
            if isinstance(row, Exception):
                raise row
        return dict(zip(self.outputs, (np.stack(column) for column in zip(*rows))))


NOT_FINITE = "the model's logits are not finite for this input: no label can be given"


def all_finite(outputs):
    """Per row: does every output hold finite numbers only?"""
    return np.logical_and.reduce([np.isfinite(each.reshape(len(each), -1)).all(axis=1) for each in outputs])
