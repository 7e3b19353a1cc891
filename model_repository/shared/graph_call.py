"""Calls the graph's own model through Triton's business logic scripting (BLS)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from step_responses import InvalidResultError
from tokenization import arrays
from tokenizers import Encoding


class GraphCall:
    """Maps encodings to the graph's outputs, in calls of as many rows as the graph accepts.

    settings: {"model": name, "max_batch_size": int, "inputs": {tensor: TYPE_*}, "outputs": {tensor: TYPE_*},
    "padding": as in tokenization.load_tokenizer}; without padding each row is a separate call.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Reads `settings`; the model is looked up by name at each call."""
        self.model = settings["model"]
        self.outputs = list(settings["outputs"])
        self.dtypes = {name: pb_utils.triton_string_to_numpy(dtype) for name, dtype in settings["inputs"].items()}
        self.padding = settings["padding"]
        self.rows_per_call = settings["max_batch_size"] if self.padding else 1
        # numpy needs the outputs in the CPU's memory, even if the graph runs on a GPU.
        self.memory = pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0)

    def __call__(self, encodings: Sequence[Encoding]) -> list[dict[str, np.ndarray]]:
        """One {output name: array of its row} for each encoding, in order; rows of similar length share a call.

        An output with a value for each token also has values for the row's padding, at its end.
        Raises InvalidResultError when the graph does not answer.
        """
        order = sorted(range(len(encodings)), key=lambda index: len(encodings[index]))
        rows: dict[int, dict[str, np.ndarray]] = {}
        for start in range(0, len(order), self.rows_per_call):
            indices = order[start : start + self.rows_per_call]
            outputs = self._call([encodings[index] for index in indices])
            rows.update((index, {name: outputs[name][row] for name in outputs}) for row, index in enumerate(indices))
        return [rows[index] for index in range(len(encodings))]

    def _call(self, encodings: Sequence[Encoding]) -> dict[str, np.ndarray]:
        feed = arrays(encodings, self.dtypes, self.padding)
        inputs = [pb_utils.Tensor(name, array) for name, array in feed.items()]
        request = pb_utils.InferenceRequest(
            model_name=self.model, requested_output_names=self.outputs, inputs=inputs, preferred_memory=self.memory
        )
        try:
            response = request.exec()
        except pb_utils.TritonModelException as error:  # the model is not loaded, or the server shuts down
            raise InvalidResultError(f"model '{self.model}' did not answer: {error}") from error
        if response.has_error():
            raise InvalidResultError(f"model '{self.model}' did not answer: {response.error().message()}")
        return {name: pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in self.outputs}
