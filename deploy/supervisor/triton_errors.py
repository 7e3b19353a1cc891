"""Every sentence of Triton's that this project matches, with the releases that say it.

Read in the release branches of triton-inference-server (server, common, python_backend) from r22.12 to r26.08. A new
wording of a release is one more row here and one more example in tests/deploy/test_triton_errors.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """A regular expression, and the first and last release that say so ("": no bound is known)."""

    words: str
    first: str = ""
    last: str = ""


# No step of a model begins its sentences so, and no model is asked before. Status 500, but the request is at fault.
UNREADABLE_WORDINGS = (
    Wording(r"failed to parse the request JSON buffer: "),
    Wording(r"(?:Unable to (?:parse|set) [^:\"]*: |failed to get request params\.: )?attempt to (?:access|get) "),
    Wording(r"Unable to parse 'data': [Ss]hape does not match true shape "),
    Wording(r"Failed to parse 'data' field: shape does not match true shape", "26.04"),
)
# The Python backend's words for a full /dev/shm, after the name of an ensemble or of a step. Status 500.
NO_ROOM_WORDINGS = (
    Wording(r"[^\"]*Failed to increase the shared memory pool size for key '", "", "25.06"),
    Wording(r"[^\"]*Failed to increase the shared memory pool size to [0-9]+ bytes", "25.07"),
)
# The C++ backends' words for a run that failed, all releases: node names or a TorchScript traceback follow. Status 500.
GRAPH_FAILED_WORDINGS = (
    Wording(r"[^\"]*onnx runtime error [0-9]+: "),
    Wording(r"[^\"]*PyTorch execute failure: "),
)


def _errors(wordings: Iterable[Wording]) -> re.Pattern[bytes]:
    """Matches the JSON of an error in any of the wordings."""
    return re.compile(('\\{"error":"(?:' + "|".join(each.words for each in wordings) + ")").encode())


UNREADABLE = _errors(UNREADABLE_WORDINGS)
NO_ROOM = _errors(NO_ROOM_WORDINGS)
# What the guard says instead of it, with 503.
TRY_LESS = (
    b'{"error":"the texts in flight do not fit into the shared memory of the server: '
    b'send less at a time, or give it more (--shm-size)"}'
)
GRAPH_FAILED = _errors(GRAPH_FAILED_WORDINGS)
# What the guard says instead, with 500; the log gets Triton's own words.
CHECK_VALUES = (
    b'{"error":"the model\'s graph failed on these inputs: check their values; the server\'s log says where"}'
)

# In the log, all releases: a port that another program has, and the services that have started.
PORT_LOST = "already in use"
STARTED = ("Started GRPCInferenceService", "Started HTTPService", "Started Metrics Service")
# In the log of each machine without a GPU, though nothing is wrong.
NO_GPU = ("CudaDriverHelper", "Failed to initialize NVML", "DCGM")
# In the log: lines of this source file repeat the line on the model; the help text begins so when a flag is wrong; the
# stack of a Python fault begins so, within the line of the fault.
REPEATED, USAGE, STACK = "backend_model.cc", "Usage: ", "\\n\\nAt:"
# Lines of the log that tell why a server does not start: error and fatal lines, and the status of a model.
TELLING = re.compile(r"^[EF]\d{4} |UNAVAILABLE|^error", re.IGNORECASE)
