"""The served model: a question and a context in, the context's part that answers it out."""

import numpy as np
import triton_python_backend_utils as pb_utils
from answer_spans import best_answer, spans
from graph_call import GraphCall
from step_responses import (
    InvalidInputError,
    InvalidResultError,
    is_overloaded,
    read_settings,
    refuse,
    respond,
    tensors,
    version_folder,
)
from tokenization import decode_rows, load_tokenizer


class TritonPythonModel:
    """Question answering: two BYTES [B, 1] -> answer BYTES, score FP32, start and end INT64, each [B, 1]."""

    def initialize(self, args):
        """Loads the frozen tokenizer, which leaves texts whole here: a long context becomes several rows."""
        self.settings = read_settings(args)
        whole = {**self.settings["tokenization"], "max_length": None, "padding": None}
        self.tokenizer = load_tokenizer(version_folder(args) / "tokenizer.json", whole)
        self.graph = GraphCall(self.settings["graph"])
        self.inputs = list(tensors(args, "input"))
        self.outputs = tensors(args, "output")

    def execute(self, requests):
        """Answers each request by itself."""
        if is_overloaded():
            return refuse(requests)
        return respond(requests, self._answer)

    def _answer(self, request):
        columns = [(pb_utils.get_input_tensor_by_name(request, name).as_numpy(), name) for name in self.inputs]
        try:
            questions, contexts = (decode_rows(values, name) for values, name in columns)
            pairs = enumerate(zip(questions, contexts))
            rows = [spans(self.tokenizer, *pair, self.settings, row, self.inputs) for row, pair in pairs]
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
        logits = iter(self.graph([span for row in rows for span in row]))
        answers = []
        for context, row in zip(contexts, rows):
            scored = [(span, *next(logits).values()) for span in row]
            if not all(np.isfinite(each).all() for _, *pair in scored for each in pair):
                raise InvalidResultError("the model's logits are not finite for this input: no answer can be given")
            answers.append(best_answer(context, scored, self.settings))
        columns = zip(self.outputs.items(), zip(*answers))
        return {name: np.array(column, dtype=dtype).reshape(-1, 1) for (name, dtype), column in columns}
