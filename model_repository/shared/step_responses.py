"""Answers each request of a step separately, so that an invalid one does not fail the others.

Annotations are not evaluated: Triton's stub adds some names to pb_utils only after this import.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils


class InvalidInputError(ValueError):
    """The request is invalid: the client gets status 400 and this sentence."""


class InvalidResultError(ValueError):
    """The model failed: the client gets status 500 and this sentence."""


def version_folder(args: Mapping[str, str]) -> Path:
    """The folder of model.py. `args` are those of `initialize`, so the repository works at any mount point."""
    return Path(args["model_repository"], args["model_version"])


def read_settings(args: Mapping[str, str]) -> dict[str, Any]:
    """The step's settings.json."""
    settings: dict[str, Any] = json.loads((version_folder(args) / "settings.json").read_text(encoding="utf-8"))
    return settings


def tensors(args: Mapping[str, str], direction: str) -> dict[str, Any]:
    """{name: numpy dtype} of the step's tensors; `direction` is "input" or "output"."""
    config = json.loads(args["model_config"])
    return {tensor["name"]: pb_utils.triton_string_to_numpy(tensor["data_type"]) for tensor in config[direction]}


def attempt(function: Callable[..., Any], *arguments: object) -> Any:
    """The result of `function`, or the error it raised, to be answered with this request."""
    try:
        return function(*arguments)
    except (InvalidInputError, InvalidResultError) as error:
        return error
    except BaseException as error:
        # A panic in a Rust library is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        traceback.print_exc()  # to the server's log only: its lines name files
        return InvalidResultError(
            f"the step failed on this request ({type(error).__name__}): the server's log has the reason"
        )


def is_overloaded() -> bool:
    """True if the image's supervisor found too many queued requests (deploy/supervisor/backlog.py)."""
    file = os.environ.get("TRITON_REFUSING_FILE")
    return bool(file) and Path(str(file)).exists()


def refuse(requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
    """Answers every request with status 503."""
    sentence = "too many requests wait for this model: try again later"
    # One error per response: Triton takes the text out of it, and a second response would send other memory.
    errors = [pb_utils.TritonError(sentence, pb_utils.TritonError.UNAVAILABLE) for _ in requests]
    return [pb_utils.InferenceResponse(error=error) for error in errors]


def respond(requests: Iterable[Any], answer: Callable[[Any], Mapping[str, np.ndarray]]) -> list[Any]:
    """One response per request. `answer` maps a request to {output name: array}; errors among the requests remain."""
    return [_response(each if isinstance(each, Exception) else attempt(answer, each)) for each in requests]


def _response(outputs: Any) -> pb_utils.InferenceResponse:
    if isinstance(outputs, Exception):
        code = "INVALID_ARG" if isinstance(outputs, InvalidInputError) else "INTERNAL"
        error = pb_utils.TritonError(str(outputs), getattr(pb_utils.TritonError, code))
        return pb_utils.InferenceResponse(error=error)
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])
