"""A Triton backend "pytorch" in Python, for a Triton without the C++ one: a model needs only its model.pt, TorchScript.

It lies at <triton>/backends/pytorch/model.py and runs on the CPU. If the C++ backend lies beside it, Triton loads that
one. Source of the rules and of the messages: triton-inference-server/pytorch_backend, src/libtorch.cc at r24.10, since
26.01 src/pt/model_instance_state.cc. As there, dims are not compared with the module, which does not know them, and
data types of outputs only when it runs. Three differences remain: inputs are tensors (no dictionaries, no strings);
an index that leaves a place empty (input__0, input__2) is refused, where the C++ backend writes past its list; an
output that is no batch is an error, where the C++ backend reads past its end.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import triton_python_backend_utils as pb_utils

Array = np.ndarray[Any, Any]
Config = dict[str, Any]
Request = Any  # Triton's types are known in its stub only
Response = Any


class TritonPythonModel:
    """One instance of one model; each runs in its own process."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the module and puts the config's tensors in its order. TritonModelException if they do not fit."""
        config, name = json.loads(args["model_config"]), args["model_name"]
        file = Path(args["model_repository"], args["model_version"], config.get("default_model_filename") or "model.pt")
        if not file.is_file():
            raise pb_utils.TritonModelException(f"unable to find '{file}' for model instance '{name}'")
        parameters = config.get("parameters", {})
        self.optimized = parameters.get("DISABLE_OPTIMIZED_EXECUTION", {}).get("string_value") != "true"
        self.module = torch.jit.load(str(file), map_location="cpu")  # type: ignore[no-untyped-call]
        self.batching = config["max_batch_size"] > 0
        arguments = [argument.name for argument in self.module.forward.schema.arguments[1:]]
        names = [tensor["name"] for tensor in config["input"]]
        try:
            check_inputs(name, names, arguments)
            self.inputs = in_order(places(names, arguments))
        except ValueError as error:
            raise pb_utils.TritonModelException(str(error)) from error
        self.outputs = places([tensor["name"] for tensor in config["output"]], [])
        self.types = {tensor["name"]: tensor["data_type"] for tensor in config["output"]}

    def execute(self, requests: list[Request]) -> list[Response]:
        """One response a request, in order.

        The requests run as one batch: Triton merges requests of equal shapes only. An error fails all of them, with
        torch's own text, the TorchScript traceback included, as Execute and ProcessRequests do.
        """
        try:
            sizes = [len(request.inputs()[0].as_numpy()) if self.batching else 1 for request in requests]
            outputs = self.run([self.merged(name, requests) for name in self.inputs])
        except Exception as error:  # torch's exceptions share no base class below this one
            return refusals(requests, f"PyTorch execute failure: {error}", pb_utils.TritonError.INTERNAL)
        try:
            rows = {name: self.split(name, place, outputs, sizes) for name, place in self.outputs.items()}
        except ValueError as error:
            return refusals(requests, str(error), pb_utils.TritonError.INVALID_ARG)
        return [
            pb_utils.InferenceResponse(
                output_tensors=[pb_utils.Tensor(name, rows[name][place]) for name in request.requested_output_names()]
            )
            for place, request in enumerate(requests)
        ]

    def merged(self, name: str, requests: list[Request]) -> torch.Tensor:
        """One input of the whole batch."""
        arrays = [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
        return torch.from_numpy(np.concatenate(arrays))

    def run(self, tensors: list[torch.Tensor]) -> list[Array]:
        """The module's outputs: a tensor, or a tuple of them."""
        with torch.inference_mode(), torch.jit.optimized_execution(self.optimized):  # type: ignore[attr-defined]
            outputs = self.module(*tensors)
        if not isinstance(outputs, torch.Tensor | tuple):
            raise ValueError(
                "output must be of type Tensor, List[str] or Tuple containing one of these two types. It should not be "
                "a List / Dictionary of Tensors or a Scalar"
            )
        return [output.numpy() for output in ([outputs] if isinstance(outputs, torch.Tensor) else outputs)]

    def split(self, name: str, place: int, outputs: list[Array], sizes: list[int]) -> list[Array]:
        """The rows of each request. ValueError for an output the module does not have, or has in another type."""
        if place >= len(outputs):
            raise ValueError(
                f"The output {name} in the model configuration refers to an output index which doesn't exist. This "
                f"model has {len(outputs)} outputs"
            )
        value = outputs[place]
        provided = triton_type(value)
        if provided != self.types[name]:
            raise ValueError(
                f"configuration expects datatype {self.types[name]} for output '{name}', model provides {provided}"
            )
        if not value.shape:
            raise ValueError(f"output '{name}' is a scalar which is not supported.")
        if not self.batching:
            return [value]
        if len(value) != sum(sizes):
            raise ValueError(f"output '{name}' has shape {list(value.shape)} for a batch of {sum(sizes)}")
        return np.split(value, np.cumsum(sizes)[:-1])


def check_inputs(model: str, names: list[str], arguments: list[str]) -> None:
    """ValueError unless the config has as many inputs as forward has arguments."""
    if len(names) != len(arguments):
        raise ValueError(
            f"unable to load model '{model}', configuration expects {len(names)} inputs, model provides "
            f"{len(arguments)}"
        )


def places(names: list[str], arguments: list[str]) -> dict[str, int]:
    """{tensor name: its place among the arguments, or among the outputs, where `arguments` is empty}.

    As GetNamingConvention: by the names of forward's arguments if all inputs have one; else by the digits behind the
    first "__" if all names have them (none are 0); else in the order of the config.
    """
    if arguments and all(name in arguments for name in names):
        return {name: arguments.index(name) for name in names}
    parts = [name.partition("__") for name in names]
    if all(mark and (not digits or digits.isdecimal()) for _, mark, digits in parts):
        return {name: int(digits or 0) for name, (_, _, digits) in zip(names, parts, strict=True)}
    return {name: place for place, name in enumerate(names)}


def in_order(found: dict[str, int]) -> list[str]:
    """The inputs in forward's order. ValueError if two have one place, or one has a place that does not exist."""
    if sorted(found.values()) != list(range(len(found))):
        raise ValueError(f"the inputs {', '.join(found)} do not name the places 0 to {len(found) - 1}, each once")
    return sorted(found, key=found.__getitem__)


def triton_type(array: Array) -> str:
    """TYPE_FP32 and the like."""
    if array.dtype == bool:
        return "TYPE_BOOL"
    return f"TYPE_{array.dtype.name.upper().replace('FLOAT', 'FP')}"


def refusals(requests: list[Request], message: str, code: int) -> list[Response]:
    """Responses that fail every request. Each needs an error of its own: Triton takes the text out of it."""
    errors = [pb_utils.TritonError(message, code) for _ in requests]
    return [pb_utils.InferenceResponse(output_tensors=[], error=error) for error in errors]
