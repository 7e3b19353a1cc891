"""Calls the graph's own model, which stands beside this one, by Triton's business logic scripting (BLS)."""

import triton_python_backend_utils as pb_utils
from step_responses import InvalidResultError
from tokenization import arrays


class GraphCall:
    """Encodings in, the graph's outputs for each of them out, in calls of as many rows as the graph takes.

    settings: {"model": name, "max_batch_size": int, "inputs": {tensor: TYPE_*}, "outputs": {tensor: TYPE_*},
    "padding": as in tokenization.load_tokenizer}; without padding each row is a call of its own.
    """

    def __init__(self, settings):
        """Reads `settings`; the model is called by name, so nothing is asked of it yet."""
        self.model = settings["model"]
        self.outputs = list(settings["outputs"])
        self.dtypes = {name: pb_utils.triton_string_to_numpy(dtype) for name, dtype in settings["inputs"].items()}
        self.padding = settings["padding"]
        self.rows_a_call = settings["max_batch_size"] if self.padding else 1
        # Outputs of a graph on a GPU must come back where numpy reads them; early releases have no word for it.
        memory = getattr(pb_utils, "PreferredMemory", None)
        self.options = {"preferred_memory": memory(pb_utils.TRITONSERVER_MEMORY_CPU, 0)} if memory else {}

    def __call__(self, encodings):
        """One {output name: array of its row} for each encoding, in order; rows of like length share a call.

        An output with a value for each token has as many more as the row was padded by, at its end.
        InvalidResultError when the graph does not answer.
        """
        order = sorted(range(len(encodings)), key=lambda place: len(encodings[place]))
        rows = {}
        for start in range(0, len(order), self.rows_a_call):
            places = order[start : start + self.rows_a_call]
            outputs = self._call([encodings[place] for place in places])
            rows.update((place, {name: outputs[name][row] for name in outputs}) for row, place in enumerate(places))
        return [rows[place] for place in range(len(encodings))]

    def _call(self, encodings):
        feed = arrays(encodings, self.dtypes, self.padding)
        inputs = [pb_utils.Tensor(name, array) for name, array in feed.items()]
        request = pb_utils.InferenceRequest(
            model_name=self.model, requested_output_names=self.outputs, inputs=inputs, **self.options
        )
        try:
            response = request.exec()
        except pb_utils.TritonModelException as error:  # the model is not there, or the server is on its way down
            raise InvalidResultError(f"model '{self.model}' did not answer: {error}") from error
        if response.has_error():
            raise InvalidResultError(f"model '{self.model}' did not answer: {response.error().message()}")
        return {name: pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in self.outputs}
