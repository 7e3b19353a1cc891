"""What every step does with its requests: answer each by itself, so that a bad one costs no other its answer."""

import json
import os
import traceback
from pathlib import Path

import triton_python_backend_utils as pb_utils


class InvalidInputError(ValueError):
    """The request is at fault: its client gets 400 and this sentence."""


class InvalidResultError(ValueError):
    """The model is at fault: the client gets 500 and this sentence."""


def version_folder(args):
    """The folder model.py lies in; args are those of `initialize`, so the repository serves at any mount point."""
    return Path(args["model_repository"], args["model_version"])


def read_settings(args):
    """The step's settings.json as a dict."""
    return json.loads((version_folder(args) / "settings.json").read_text(encoding="utf-8"))


def tensors(args, direction):
    """{name: numpy dtype} of the step's tensors; `direction` is "input" or "output"."""
    config = json.loads(args["model_config"])
    return {tensor["name"]: pb_utils.triton_string_to_numpy(tensor["data_type"]) for tensor in config[direction]}


def attempt(function, *arguments):
    """What `function` gives, or the error it raises, to be answered when it is this request's turn."""
    try:
        return function(*arguments)
    except (InvalidInputError, InvalidResultError) as error:
        return error
    except BaseException as error:
        # A library in Rust ends its own mistake in a panic, which is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        traceback.print_exc()  # for the server's log: its lines name files, and no client may see those
        return InvalidResultError(
            f"the step failed on this request ({type(error).__name__}): the server's log says why"
        )


def is_overloaded():
    """Has the supervisor of the image seen too many requests wait (deploy/supervisor/backlog.py)?"""
    file = os.environ.get("TRITON_REFUSING_FILE")
    return bool(file) and Path(file).exists()


def refuse(requests):
    """503 to each: they cost next to nothing, and the queue is soon short again."""
    sentence = "too many requests wait for this model: try again later"
    # An error for each: Triton takes the text out of it, and a second response would send other memory as its text.
    errors = [pb_utils.TritonError(sentence, pb_utils.TritonError.UNAVAILABLE) for _ in requests]
    return [pb_utils.InferenceResponse(error=error) for error in errors]


def respond(requests, answer):
    """One response a request. `answer` takes a request and gives {output name: numpy array}; errors stay errors."""
    return [_response(each if isinstance(each, Exception) else attempt(answer, each)) for each in requests]


def _response(outputs):
    if isinstance(outputs, Exception):
        code = "INVALID_ARG" if isinstance(outputs, InvalidInputError) else "INTERNAL"
        error = pb_utils.TritonError(str(outputs), getattr(pb_utils.TritonError, code))
        return pb_utils.InferenceResponse(error=error)
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])
