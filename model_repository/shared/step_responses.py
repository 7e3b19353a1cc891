"""Answers each request of a step separately, so that an invalid one does not fail the others.

Annotations are not evaluated: Triton's stub adds some names to pb_utils only after this import.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

# Lines of at most 500 bytes that a pipe takes as a whole: PIPE_BUF is 4096.
LINES_AT_ONCE = 8


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


def parameters_of(request: pb_utils.InferenceRequest, known: Sequence[str] = ()) -> dict[str, Any]:
    """The parameters of a request. Raises InvalidInputError for one that is not `known`: it would have no effect.

    Triton keeps its own (priority, timeout, sequence_id, binary_data_output) to itself. /generate adds the id, and the
    server adds the headers that its flags forward.
    """
    text = request.parameters()
    if not text or text == "{}":
        return {}
    parameters: dict[str, Any] = json.loads(text)
    for name in parameters:
        if name not in known and name != "id" and not _is_forwarded(name):
            allowed = f"known are: {', '.join(known)}" if known else "this model has no parameters"
            raise InvalidInputError(f"parameter '{name[:60]}' is unknown; {allowed}")
    return parameters


def _is_forwarded(name: str) -> bool:
    return any(pattern.search(name) for pattern in _forwarded_headers())


@functools.cache
def _forwarded_headers() -> list[re.Pattern[str]]:
    """The patterns of headers in the flags of tritonserver, the parent of this process."""
    command = Path(f"/proc/{os.getppid()}/cmdline").read_bytes().decode("utf-8", "replace")
    patterns = re.findall(r"--(?:http|grpc)-header-forward-pattern[=\0]([^\0]*)", command)
    try:
        return [re.compile(pattern, re.IGNORECASE) for pattern in patterns]
    except re.error:  # Triton has another syntax (RE2): any name may be a header
        return [re.compile("")]


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


def id_of(request: pb_utils.InferenceRequest) -> str:
    """The request's id; empty if it is not UTF-8, which Triton does not check."""
    try:
        return str(request.request_id())
    except UnicodeDecodeError:
        return ""


def timed(execute: Callable[[Any, Sequence[Any]], list[Any]]) -> Callable[[Any, Sequence[Any]], list[Any]]:
    """`execute` of a step, reporting its requests to the image's request log if that is enabled."""
    if not os.environ.get("TRITON_STEP_TIMES"):
        return execute

    @functools.wraps(execute)
    def run(model: Any, requests: Sequence[Any]) -> list[Any]:
        began = time.monotonic()
        responses = execute(model, requests)
        with contextlib.suppress(Exception):  # the log has no time to wait for a reader, and fails no request
            _report(began, requests, responses)
        return responses

    return run


def _report(began: float, requests: Sequence[Any], responses: Sequence[Any]) -> None:
    """Writes one line of JSON for each request, as deploy/supervisor/request_log.py reads them."""
    ended, step, lines = time.monotonic(), Path(__file__).parent, []  # the folder is MODEL/VERSION
    for request, response in zip(requests, responses, strict=True):
        headers = json.loads(request.parameters() or "{}")
        number = int(headers.get("guard-request", 0))
        if number or "user-agent" in headers:  # the latter over gRPC, which does not pass the guard
            client_id = (id_of(request) or headers.get("x-request-id", ""))[:128]
            about = [] if number else [_status(response), step.parent.name, step.name, client_id]
            lines.append(json.dumps([number, began, ended, int(request.inputs()[0].shape()[0]), *about]))
    for at in range(0, len(lines), LINES_AT_ONCE):
        os.write(_pipe(), "".join(f"{line}\n" for line in lines[at : at + LINES_AT_ONCE]).encode())


def _status(response: Any) -> int:
    """The status that this response gets over HTTP."""
    if not response.has_error():
        return 200
    code = response.error().code()
    return {pb_utils.TritonError.INVALID_ARG: 400, pb_utils.TritonError.UNAVAILABLE: 503}.get(code, 500)


@functools.cache
def _pipe() -> int:
    return os.open(os.environ["TRITON_STEP_TIMES"], os.O_WRONLY | os.O_NONBLOCK)


def refuse(requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
    """Answers every request with status 503."""
    sentence = "too many requests wait for this model: try again later"
    # One error per response: Triton takes the text out of it, and a second response would send other memory.
    errors = [pb_utils.TritonError(sentence, pb_utils.TritonError.UNAVAILABLE) for _ in requests]
    return [pb_utils.InferenceResponse(error=error) for error in errors]


def respond(
    requests: Iterable[Any],
    answer: Callable[[Any], Mapping[str, np.ndarray]],
    parameters: Iterable[Mapping[str, str]] | None = None,
) -> list[Any]:
    """One response per request. `answer` maps a request to {output name: array}; errors among the requests remain.

    `parameters`: those of each response.
    """
    answers = (each if isinstance(each, Exception) else attempt(answer, each) for each in requests)
    return [_response(*each) for each in zip(answers, parameters or itertools.repeat({}), strict=False)]


def _response(outputs: Any, parameters: Mapping[str, str]) -> pb_utils.InferenceResponse:
    if isinstance(outputs, Exception):
        code = "INVALID_ARG" if isinstance(outputs, InvalidInputError) else "INTERNAL"
        error = pb_utils.TritonError(str(outputs), getattr(pb_utils.TritonError, code))
        return pb_utils.InferenceResponse(error=error)
    made = [pb_utils.Tensor(name, array) for name, array in outputs.items()]
    return pb_utils.InferenceResponse(made, None, parameters) if parameters else pb_utils.InferenceResponse(made)
