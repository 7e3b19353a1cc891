"""Step: texts, or pairs of texts, in, token arrays out, as the graph behind it names and types them."""

import triton_python_backend_utils as pb_utils
from step_responses import InvalidInputError, is_overloaded, read_settings, refuse, respond, tensors, version_folder
from tokenization import decode_rows, encode, joined, load_tokenizer


class TritonPythonModel:
    """Text preprocessing: one or two BYTES [B, 1] -> integer arrays [B, tokens]."""

    def initialize(self, args):
        """Loads the frozen tokenizer."""
        self.tokenizer = load_tokenizer(version_folder(args) / "tokenizer.json", read_settings(args))
        self.inputs = list(tensors(args, "input"))
        self.dtypes = tensors(args, "output")

    def execute(self, requests):
        """Each request is padded to its own longest text only: on a CPU padding costs more than it gains."""
        if is_overloaded():
            return refuse(requests)
        return respond(requests, self._answer)

    def _answer(self, request):
        columns = [(pb_utils.get_input_tensor_by_name(request, name).as_numpy(), name) for name in self.inputs]
        try:
            rows = joined([decode_rows(values, name) for values, name in columns])
            return encode(self.tokenizer, rows, self.dtypes, self.inputs[0])
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
