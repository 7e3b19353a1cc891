"""What the container's arguments ask for: the supervised server, or any other command, such as a shell."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from . import base_entry
from .log import say

TRITON = "/opt/tritonserver/bin/tritonserver"
# The first argument that supervisor/bin/tritonserver gives: the container's entry is past.
INSIDE = "--inside"
INFORMATIONAL = ("--help", "--version", "-h")
NOT_FOUND, NOT_EXECUTABLE = 127, 126


def main(arguments: Sequence[str], serving: str) -> int:
    """The exit code of supervise.py.

    Without arguments, or with flags only, the server runs with them; after `tritonserver` or a path of one, too. Any
    other command takes this process's place.
    """
    # As the main process of a container we would not get them later: without a handler they are dropped.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    words = list(arguments)
    if os.environ.pop("AIP_MODE", ""):  # turns HTTP and gRPC off in Triton, and any command into arguments of it
        say("AIP_MODE is not passed on: have Vertex AI ask port 8000, with /v2/... as its routes (docs/operations.md)")
    if words[:1] == [INSIDE]:
        words.pop(0)
    else:
        base_entry.run()
    _search_named_folders_only("LD_LIBRARY_PATH")
    if not words or words[0].startswith("-"):
        words.insert(0, "tritonserver")
    if os.path.basename(words[0]) != "tritonserver":  # noqa: PTH119 - pathlib costs 10 ms of every start
        return _become(words[0], words)
    program = _program(words[0], serving)
    if set(INFORMATIONAL).intersection(words):
        return _become(program, [program, *words[1:]])
    from .main import main as supervise

    return supervise(program, words[1:], serving)


def _search_named_folders_only(variable: str) -> None:
    """Without its empty entries, which mean the current folder to the loader (ld.so(8)): NVIDIA's ends in one."""
    if variable in os.environ:
        os.environ[variable] = ":".join(filter(None, os.environ[variable].split(":")))


def _program(name: str, serving: str) -> str:
    """A path that was given, but never that of our own wrapper; else the base image's server, whatever PATH says."""
    is_ours = os.path.realpath(name).startswith(os.path.join(serving, ""))  # noqa: PTH118
    return name if "/" in name and not is_ours else TRITON


def _become(program: str, words: Sequence[str]) -> int:
    """Does not return when the program starts; then it has the signals as a process gets them."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGINT])
    try:
        os.execvp(program, words)
    except OSError as error:
        say(f"{program} cannot be run ({error.strerror}); give flags of tritonserver, or a command such as bash")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
