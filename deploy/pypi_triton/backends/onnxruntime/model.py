"""A Triton backend "onnxruntime" in Python, for a Triton without the C++ one: a model needs only its model.onnx.

It stands at <triton>/backends/onnxruntime/model.py and runs on the CPU. Where the C++ backend stands beside it, Triton
takes that one.
"""

import json
import os
import re
import sys
from collections import defaultdict
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
Feed = dict[str, Array]
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
# ONNX Runtime's faults that come from what was sent: a token id out of range, a length the graph cannot take.
CALLERS_FAULT = re.compile(r"INVALID_ARGUMENT|indices element out of data bounds|invalid expand shape|broadcast", re.I)
SOURCE_PLACE = re.compile(r"/\S+\.(?:cc|h|cpp|hpp)(?::\d+)?\s?(?:.*\)\s)?")


class TritonPythonModel:
    """One instance of one model; Triton gives each its own process."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the graph and refuses a config that does not fit it."""
        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        file = folder / (config.get("default_model_filename") or "model.onnx")
        if not file.is_file():
            raise pb_utils.TritonModelException(f"unable to load model '{args['model_name']}', no file '{file}'")
        self.session = ort.InferenceSession(str(file), session_options(config), providers=["CPUExecutionProvider"])
        self.batching = int(config.get("max_batch_size", 0)) > 0
        faults = check(config, self.session.get_inputs(), self.session.get_outputs())
        if faults:
            raise pb_utils.TritonModelException(f"unable to load model '{args['model_name']}', {'; '.join(faults)}")
        self.inputs = {node.name: node.type for node in self.session.get_inputs()}

    def execute(self, requests: list[Request]) -> list[Response]:
        """One response a request, in order. Requests of equal shapes run as one; a fault fails its own request only."""
        responses: list[Response] = [None] * len(requests)
        groups: dict[Any, list[int]] = defaultdict(list)
        feeds: list[Feed] = []
        for place, request in enumerate(requests):
            try:
                feed = self.feed(request)
                signature = tuple(array.shape[1:] for array in feed.values()) if self.batching else place
                groups[signature].append(place)
            except ValueError as error:
                feed = {}
                responses[place] = refusal(str(error), pb_utils.TritonError.INVALID_ARG)
            feeds.append(feed)
        for places in groups.values():
            self.run_group(requests, feeds, places, responses)
        return responses

    def feed(self, request: Request) -> Feed:
        """The request's tensors by name; BYTES become text. Raises ValueError when one is missing or is not UTF-8."""
        feed: Feed = {}
        for name, kind in self.inputs.items():
            tensor = pb_utils.get_input_tensor_by_name(request, name)
            if tensor is None:
                raise ValueError(f"input '{name}' is missing")
            feed[name] = as_text(tensor.as_numpy(), name) if kind == "tensor(string)" else tensor.as_numpy()
        return feed

    def run_group(
        self, requests: list[Request], feeds: list[Feed], places: list[int], responses: list[Response]
    ) -> None:
        """Fills `responses` at `places`. When a merged run fails, each request runs alone to find the one at fault."""
        wanted = sorted({name for place in places for name in requests[place].requested_output_names()})
        sizes = [len(next(iter(feeds[place].values()))) if self.batching else 1 for place in places]
        try:
            merged = feeds[places[0]]
            if len(places) > 1:
                merged = {name: np.concatenate([feeds[place][name] for place in places]) for name in self.inputs}
            values = self.session.run(wanted, merged)
            if len(places) > 1:
                parts = [split(name, value, sizes) for name, value in zip(wanted, values, strict=True)]
            else:
                parts = [[value] for value in values]
        except Exception as error:  # ONNX Runtime's exceptions share no base class below this one
            if len(places) > 1:
                for place in places:
                    self.run_group(requests, feeds, [place], responses)
                return
            pb_utils.Logger.log_error(f"onnxruntime: {error}")
            responses[places[0]] = refusal(*explain(error))
            return
        for row, place in enumerate(places):
            asked = requests[place].requested_output_names()
            tensors = [pb_utils.Tensor(name, parts[wanted.index(name)][row]) for name in asked]
            responses[place] = pb_utils.InferenceResponse(output_tensors=tensors)


def session_options(config: dict[str, Any]) -> ort.SessionOptions:
    """The config's parameters that the C++ backend has too: `intra_op_thread_count` (0 = one a core)."""
    options = ort.SessionOptions()
    threads = config.get("parameters", {}).get("intra_op_thread_count", {}).get("string_value", "0")
    if not threads.isdigit():
        raise pb_utils.TritonModelException(f"parameter intra_op_thread_count is '{threads}'; a whole number is needed")
    options.intra_op_num_threads = int(threads)
    options.log_severity_level = 3
    return options


def check(config: dict[str, Any], inputs: list[ort.NodeArg], outputs: list[ort.NodeArg]) -> list[str]:
    """Sentences on where config and graph differ; none when they fit."""
    batching = int(config.get("max_batch_size", 0)) > 0
    faults = []
    for kind, nodes in (("input", inputs), ("output", outputs)):
        graph = {node.name: node for node in nodes}
        configured = {tensor["name"]: tensor for tensor in config.get(kind, [])}
        for name, tensor in configured.items():
            if name in graph:
                faults += check_tensor(kind, tensor, graph[name], batching)
            else:
                faults.append(f"unexpected {kind} '{name}' in the config; the graph's are: {', '.join(graph)}")
        if kind == "input":
            faults += [f"input '{name}' of the graph is not in the config" for name in graph if name not in configured]
    return faults


def check_tensor(kind: str, tensor: dict[str, Any], node: ort.NodeArg, batching: bool) -> list[str]:
    """As the C++ backend: equal types, and dims equal wherever the graph fixes one."""
    name = node.name
    graph_type = TRITON_TYPES.get(node.type, f"{node.type}, which Triton cannot carry")
    if tensor["data_type"] != graph_type:
        return [f"{kind} '{name}' is {tensor['data_type']} in the config and {graph_type} in the graph"]
    dims = [int(dim) for dim in tensor.get("reshape", {}).get("shape", tensor["dims"])]
    graph_dims = [dim if isinstance(dim, int) else -1 for dim in node.shape]
    if batching and graph_dims[:1] != [-1]:
        return [f"{kind} '{name}' has the shape {graph_dims} in the graph; max_batch_size > 0 needs -1 first"]
    full = [-1, *dims] if batching else dims
    fits = len(full) == len(graph_dims) and all(g in (-1, d) for g, d in zip(graph_dims, full, strict=True))
    return [] if fits else [f"{kind} '{name}' has the shape {full} in the config and {graph_dims} in the graph"]


def as_text(array: Array, name: str) -> Array:
    """BYTES of any shape as str, which ONNX Runtime takes."""
    try:
        flat = [value.decode() for value in array.ravel()]
    except UnicodeDecodeError:
        raise ValueError(f"input '{name}' is not valid UTF-8") from None
    return np.array(flat, dtype=object).reshape(array.shape)


def split(name: str, value: Array, sizes: list[int]) -> list[Array]:
    """The rows of each request."""
    if value.shape[:1] != (sum(sizes),):
        raise ValueError(f"output '{name}' has the shape {list(value.shape)} for a batch of {sum(sizes)}")
    return np.split(value, np.cumsum(sizes)[:-1])


def explain(error: Exception) -> tuple[str, int]:
    """ONNX Runtime's reason in one line, without the places in its source, and whose fault it is."""
    text = str(error)
    reason = " ".join(SOURCE_PLACE.sub("", text.rpartition("Status Message: ")[2]).split())
    code = pb_utils.TritonError.INVALID_ARG if CALLERS_FAULT.search(text) else pb_utils.TritonError.INTERNAL
    return f"the model could not be run: {reason}", code


def refusal(message: str, code: int) -> Response:
    """A response that fails one request."""
    return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(message, code))
