"""Triton's messages that this project matches, with the releases that use them.

Sources: the release branches of triton-inference-server (server, common, python_backend) from r24.01 to r26.08. A new
wording is one more row here and one more example in tests/deploy/test_triton_errors.py.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """A regular expression, and the first and last release that use it ("": no known bound)."""

    pattern: str
    first: str = ""
    last: str = ""


# Invalid requests that get status 500. No model runs before these errors, and no step's own message starts like this.
UNREADABLE_WORDINGS = (
    Wording(r"failed to parse the request JSON buffer: "),
    Wording(r"(?:Unable to (?:parse|set) [^:\"]*: |failed to get request params\.: )?attempt to (?:access|get) "),
    Wording(r"Unable to parse 'data': [Ss]hape does not match true shape "),
    Wording(r"Failed to parse 'data' field: shape does not match true shape", "26.04"),
    Wording(r"parameter key '"),  # a key with a NUL, which ends it when Triton looks it up
)
# The Python backend's messages for a full /dev/shm, after the name of an ensemble or a step. Status 500.
NO_ROOM_WORDINGS = (
    Wording(r"[^\"]*Failed to increase the shared memory pool size for key '", "", "25.06"),
    Wording(r"[^\"]*Failed to increase the shared memory pool size to [0-9]+ bytes", "25.07"),
)
# The C++ backends' messages for a failed run, all releases. Node names or a TorchScript traceback follow. Status 500.
GRAPH_FAILED_WORDINGS = (
    Wording(r"[^\"]*onnx runtime error [0-9]+: "),
    Wording(r"[^\"]*PyTorch execute failure: "),
)


def _errors(wordings: Iterable[Wording]) -> re.Pattern[bytes]:
    """Matches the JSON of an error with any of the wordings."""
    return re.compile(('\\{"error":"(?:' + "|".join(each.pattern for each in wordings) + ")").encode())


UNREADABLE = _errors(UNREADABLE_WORDINGS)
NO_ROOM = _errors(NO_ROOM_WORDINGS)
# The guard's replacement, with status 503.
TRY_LESS = (
    b'{"error":"the texts in flight do not fit into the shared memory of the server: '
    b'send less at a time, or give it more (--shm-size)"}'
)
GRAPH_FAILED = _errors(GRAPH_FAILED_WORDINGS)
# The guard's replacement, with status 500; the log gets Triton's message.
CHECK_VALUES = (
    b'{"error":"the model\'s graph failed on these inputs: check their values; the server\'s log has the details"}'
)

# Log lines, all releases: a port in use, and services that have started.
PORT_LOST = "already in use"
STARTED = ("Started GRPCInferenceService", "Started HTTPService", "Started Metrics Service")
# Harmless log lines on machines without a GPU.
NO_GPU = ("CudaDriverHelper", "Failed to initialize NVML", "DCGM")
# In the log: a source file whose lines repeat the model's own line; the start of the help text after a wrong flag; the
# start of the stack within the line of a Python error.
REPEATED, USAGE, STACK = "backend_model.cc", "Usage: ", "\\n\\nAt:"
# Log lines that explain why a server does not start: error and fatal lines, and the status of a model.
TELLING = re.compile(r"^[EF]\d{4} |UNAVAILABLE|^error", re.IGNORECASE)
