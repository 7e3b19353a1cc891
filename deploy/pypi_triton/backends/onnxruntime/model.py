"""A Triton backend "onnxruntime" in Python, for a Triton without the C++ one: a model needs only its model.onnx.

It lies at <triton>/backends/onnxruntime/model.py and runs on the CPU. If the C++ backend lies beside it, Triton loads
that one. Source of the rules and of the messages: triton-inference-server/onnxruntime_backend, src/onnxruntime.cc and
src/onnxruntime_utils.cc, the same at r24.10 and r26.06. Two differences remain: the C++ backend reads memory that is
not the output's if an output's first dimension is not the batch (here: an error for every request of the batch), and
it has parameters and execution providers that this one ignores.
"""

import codecs
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported
VENDORED = Path(__file__).resolve().parent / "site-packages"
if VENDORED.is_dir():
    sys.path.insert(0, str(VENDORED))

import numpy as np  # noqa: E402
import onnxruntime as ort  # noqa: E402
import triton_python_backend_utils as pb_utils  # noqa: E402

Array = np.ndarray[Any, Any]
Config = dict[str, Any]
Request = Any  # Triton's types are known in its stub only
Response = Any

TRITON_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}
# An exception of the Python API; the C API has the number and the text only.
RUNTIME_ERROR = re.compile(r"\[ONNXRuntimeError\] : (\d+) : \w+ : (.*)", re.DOTALL)


class TritonPythonModel:
    """One instance of one model; each runs in its own process."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the graph. TritonModelException if the config does not fit it."""
        config, name = json.loads(args["model_config"]), args["model_name"]
        file = Path(
            args["model_repository"], args["model_version"], config.get("default_model_filename") or "model.onnx"
        )
        if not file.is_file():
            raise pb_utils.TritonModelException(f"unable to find '{file}' for model instance '{name}'")
        try:
            self.session = ort.InferenceSession(str(file), session_options(config), providers=["CPUExecutionProvider"])
            check_inputs(name, config, self.session)
            check_outputs(name, config, self.session)
        except Exception as error:  # ONNX Runtime's exceptions share no base class below this one
            raise pb_utils.TritonModelException(as_c_api(error)) from error
        self.batching = config["max_batch_size"] > 0
        self.scalars = {node.name for node in self.session.get_inputs() if not node.shape}
        self.inputs = {tensor["name"]: tensor["data_type"] for tensor in config["input"]}
        self.outputs = {tensor["name"]: tensor["dims"] for tensor in config["output"]}

    def execute(self, requests: list[Request]) -> list[Response]:
        """One response a request, in order.

        The requests run as one batch: Triton merges requests of equal shapes only. An error fails all of them, with
        INTERNAL (HTTP 500) and ONNX Runtime's own text, as ProcessRequests does.
        """
        try:
            sizes = [self.size(request) for request in requests]
            with text_of_any_bytes():
                values = self.session.run(list(self.outputs), self.feed(requests))
            rows = {name: self.split(name, value, sizes) for name, value in zip(self.outputs, values, strict=True)}
        except Exception as error:
            return [refusal(as_c_api(error)) for _ in requests]
        return [
            pb_utils.InferenceResponse(
                output_tensors=[pb_utils.Tensor(name, rows[name][place]) for name in request.requested_output_names()]
            )
            for place, request in enumerate(requests)
        ]

    def size(self, request: Request) -> int:
        """The rows of a request: the first dimension of its first input; 1 without batching."""
        return len(request.inputs()[0].as_numpy()) if self.batching else 1

    def feed(self, requests: list[Request]) -> dict[str, Array]:
        """The tensors of the whole batch by name."""
        feed = {}
        for name, kind in self.inputs.items():
            tensors = [pb_utils.get_input_tensor_by_name(request, name) for request in requests]
            if tensors[0] is None:  # an optional one: Triton has checked that the others are there
                continue
            array = np.concatenate([tensor.as_numpy() for tensor in tensors])
            array = as_c_strings(array) if kind == "TYPE_STRING" else array
            feed[name] = array.reshape(()) if name in self.scalars else array
        return feed

    def split(self, name: str, value: Array, sizes: list[int]) -> list[Array]:
        """The rows of each request. A scalar gets the config's dims."""
        if value.dtype == object:
            flat = [text.encode("utf-8", "surrogateescape") for text in value.ravel()]
            value = np.array(flat, dtype=object).reshape(value.shape)
        if not self.batching:
            return [value if value.shape else value.reshape(self.outputs[name])]
        if value.shape[:1] != (sum(sizes),):
            raise ValueError(f"output '{name}' has shape {list(value.shape)} for a batch of {sum(sizes)}")
        return np.split(value, np.cumsum(sizes)[:-1])


def session_options(config: Config) -> ort.SessionOptions:
    """Of the config's parameters `intra_op_thread_count`: a number below 1 leaves the choice to ONNX Runtime."""
    options = ort.SessionOptions()
    text = config.get("parameters", {}).get("intra_op_thread_count", {}).get("string_value", "0")
    try:
        options.intra_op_num_threads = max(0, int(text))
    except ValueError:
        raise ValueError(f"failed to convert '{text}' to int integral number") from None
    options.log_severity_level = 3
    return options


def check_inputs(model: str, config: Config, session: ort.InferenceSession) -> None:
    """As ValidateInputs. An input may be optional if the graph has an initializer of its name, and without batching."""
    nodes = {node.name: node for node in session.get_inputs()}
    expected = sum(not tensor.get("optional") for tensor in config["input"])
    if expected != len(nodes):
        raise ValueError(
            f"unable to load model '{model}', configuration expects {expected} inputs, model provides {len(nodes)}"
        )
    nodes.update((node.name, node) for node in session.get_overridable_initializers())
    for tensor in config["input"]:
        if tensor.get("optional") and config["max_batch_size"]:
            raise ValueError(
                f"unable to load model '{model}', optional input '{tensor['name']}' is not supported for models that "
                "support batching"
            )
        check_tensor(model, "input", tensor, nodes, config["max_batch_size"])


def check_outputs(model: str, config: Config, session: ort.InferenceSession) -> None:
    """As ValidateOutputs: the shapes are those the session reports after its optimizations, not the file's."""
    nodes = {node.name: node for node in session.get_outputs()}
    for tensor in config["output"]:
        check_tensor(model, "output", tensor, nodes, config["max_batch_size"])


def check_tensor(model: str, kind: str, tensor: Config, nodes: dict[str, ort.NodeArg], max_batch_size: int) -> None:
    """ValueError unless the graph has a tensor of this name, type and shape."""
    name = tensor["name"]
    if name not in nodes:
        raise ValueError(f"unexpected inference {kind} '{name}', allowed {kind}s are: {', '.join(sorted(nodes))}")
    provided = TRITON_TYPES.get(nodes[name].type, "TYPE_INVALID")
    if tensor["data_type"] != provided:
        raise ValueError(
            f"unable to load model '{model}', configuration expects datatype {tensor['data_type']} for {kind} "
            f"'{name}', model provides {provided}"
        )
    dims = [int(dim) for dim in tensor.get("reshape", {}).get("shape", tensor["dims"])]
    shape = [dim if isinstance(dim, int) else -1 for dim in nodes[name].shape]
    if shape:
        compare_dims(f"model '{model}', tensor '{name}'", shape, dims, max_batch_size, exact=kind == "output")
    elif any(dim != 1 for dim in dims):
        raise ValueError(
            f"unable to load model '{model}', scalar tensor '{name}', should only provide 1 in the model configuration "
            f"when the model doesn't support batching. Model configuration provided: {shape_text(dims)}."
        )


def compare_dims(what: str, shape: list[int], dims: list[int], max_batch_size: int, *, exact: bool) -> None:
    """As CompareDimsSupported: outputs are compared exactly; inputs only where the graph fixes a dimension."""
    if max_batch_size > 0 and shape[0] != -1:
        raise ValueError(
            f"{what}: for the model to support batching the shape should have at least 1 dimension and the first "
            f"dimension must be -1; but shape expected by the model is {shape_text(shape)}"
        )
    full = [-1, *dims] if max_batch_size > 0 else dims
    if len(shape) == len(full) and all(
        own == configured or (own == -1 and not exact) for own, configured in zip(shape, full, strict=True)
    ):
        return
    batch = (
        "an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete"
    )
    raise ValueError(
        f"{what}: the model expects {len(shape)} dimensions (shape {shape_text(shape)}) but the model configuration "
        f"specifies {len(full)} dimensions ({f'{batch} ' if max_batch_size > 0 else ''}shape {shape_text(full)})"
    )


def shape_text(shape: list[int]) -> str:
    """[-1,3], as Triton's backends write shapes."""
    return f"[{','.join(map(str, shape))}]"


def refusal(message: str) -> Response:
    """A response that fails its request. Each needs an error of its own: Triton takes the text out of it."""
    error = pb_utils.TritonError(message, pb_utils.TritonError.INTERNAL)
    return pb_utils.InferenceResponse(output_tensors=[], error=error)


def as_c_api(error: Exception) -> str:
    """ONNX Runtime's error as RETURN_IF_ORT_ERROR writes it; any other error's own text."""
    found = RUNTIME_ERROR.search(str(error))
    return f"onnx runtime error {found[1]}: {found[2]}" if found else str(error)


def as_c_strings(array: Array) -> Array:
    """BYTES as SetStringInputTensor passes them on: each value ends at its first NUL, and any other byte is kept."""
    width = max((len(value) for value in array.ravel()), default=0)
    return array.astype(f"S{width + 1}")  # onnxruntime reads up to a NUL: each value needs one


@contextlib.contextmanager
def text_of_any_bytes() -> Iterator[None]:
    """Lets onnxruntime's Python API return strings that are not UTF-8: it decodes strictly, the C API not at all."""
    strict = codecs.lookup_error("strict")
    codecs.register_error("strict", codecs.lookup_error("surrogateescape"))
    try:
        yield
    finally:
        codecs.register_error("strict", strict)
