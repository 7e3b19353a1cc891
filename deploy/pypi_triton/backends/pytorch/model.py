"""A Triton backend "pytorch" in Python, for a Triton without the C++ one: a model needs only its model.pt, TorchScript.

It stands at <triton>/backends/pytorch/model.py and runs on the CPU. Where the C++ backend stands beside it, Triton
takes that one. Tensors are <name>__<index>, or have the names of forward's arguments, as there.
"""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import triton_python_backend_utils as pb_utils

Array = np.ndarray[Any, Any]
Request = Any  # Triton's types are known in its stub only
Response = Any

INDEXED = re.compile(r".+__([0-9]+)")
# What torch says of token ids or lengths that the model does not know: the caller's fault, not the model's.
CALLERS_FAULT = re.compile(r"index out of range|must match the size|expanded size|out of bounds", re.IGNORECASE)


class TritonPythonModel:
    """One instance of one model; Triton gives each its own process."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the module and puts the config's tensors in its order."""
        config = json.loads(args["model_config"])
        file = Path(args["model_repository"], args["model_version"], config.get("default_model_filename") or "model.pt")
        if not file.is_file():
            raise pb_utils.TritonModelException(f"unable to load model '{args['model_name']}', no file '{file}'")
        parameters = config.get("parameters", {})
        self.optimized = parameters.get("DISABLE_OPTIMIZED_EXECUTION", {}).get("string_value") != "true"
        self.module = torch.jit.load(str(file), map_location="cpu")
        self.batching = int(config.get("max_batch_size", 0)) > 0
        arguments = [argument.name for argument in self.module.forward.schema.arguments[1:]]
        try:
            self.inputs = in_order([tensor["name"] for tensor in config["input"]], arguments)
            self.outputs = in_order([tensor["name"] for tensor in config["output"]], [])
        except ValueError as error:
            raise pb_utils.TritonModelException(f"unable to load model '{args['model_name']}', {error}") from error

    def execute(self, requests: list[Request]) -> list[Response]:
        """One response a request, in order. Requests of equal shapes run as one; a fault fails its own request only."""
        responses: list[Response] = [None] * len(requests)
        groups: dict[Any, list[int]] = defaultdict(list)
        feeds = [self.feed(request) for request in requests]
        for place, feed in enumerate(feeds):
            groups[tuple(array.shape[1:] for array in feed) if self.batching else place].append(place)
        for places in groups.values():
            self.run_group(requests, feeds, places, responses)
        return responses

    def feed(self, request: Request) -> list[Array]:
        """The request's tensors in forward's order; Triton has checked that they are all there."""
        return [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs]

    def run_group(
        self, requests: list[Request], feeds: list[list[Array]], places: list[int], responses: list[Response]
    ) -> None:
        """Fills `responses` at `places`. When a merged run fails, each request runs alone to find the one at fault."""
        try:
            outputs = self.run(
                [np.concatenate(arrays) for arrays in zip(*(feeds[each] for each in places), strict=True)]
            )
        except Exception as error:  # torch's exceptions share no base class below this one
            if len(places) > 1:
                for place in places:
                    self.run_group(requests, feeds, [place], responses)
                return
            pb_utils.Logger.log_error(f"torch: {error}")
            responses[places[0]] = refusal(error)
            return
        ends = np.cumsum([len(feeds[place][0]) for place in places])[:-1]
        parts = {name: np.split(array, ends) for name, array in zip(self.outputs, outputs, strict=True)}
        for row, place in enumerate(places):
            asked = requests[place].requested_output_names()
            tensors = [pb_utils.Tensor(name, parts[name][row]) for name in asked]
            responses[place] = pb_utils.InferenceResponse(output_tensors=tensors)

    def run(self, arrays: list[Array]) -> list[Array]:
        """The module's outputs: a tensor, or a tuple or list of them."""
        tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
        with torch.inference_mode(), torch.jit.optimized_execution(self.optimized):
            outputs = self.module(*tensors)
        return [output.numpy() for output in ([outputs] if isinstance(outputs, torch.Tensor) else outputs)]


def in_order(names: list[str], arguments: list[str]) -> list[str]:
    """The names by the place that each gives, or by that of the argument it names. ValueError when they do not fit."""
    if all(name in arguments for name in names):
        return sorted(names, key=arguments.index)
    found = [INDEXED.fullmatch(name) for name in names]
    places = [int(match[1]) for match in found if match]
    if sorted(places) != list(range(len(names))):
        raise ValueError(f"its tensors are {', '.join(names)}; they must be called <name>__0, <name>__1 and so on")
    return [name for _, name in sorted(zip(places, names, strict=True))]


def refusal(error: Exception) -> Response:
    """A response that fails one request, with torch's own reason, which stands in the last line."""
    reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    code = pb_utils.TritonError.INVALID_ARG if CALLERS_FAULT.search(str(error)) else pb_utils.TritonError.INTERNAL
    message = pb_utils.TritonError(f"the model could not be run: {reason}", code)
    return pb_utils.InferenceResponse(output_tensors=[], error=message)
