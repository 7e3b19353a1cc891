"""Runs the container's arguments: the supervised server, or any other command, such as a shell."""

import os
import signal
from collections.abc import Callable, Sequence

from . import base_entry, log

TRITON = "/opt/tritonserver/bin/tritonserver"
# The first argument from supervisor/bin/tritonserver: the base image's entry script has run already.
INSIDE = "--inside"
INFORMATIONAL = ("--help", "--version", "-h")
NOT_FOUND, NOT_EXECUTABLE = 127, 126


def main(arguments: Sequence[str], serving: str) -> int:
    """Returns the exit code of supervise.py.

    Without arguments, with flags only, or with `tritonserver` or its path first, the server runs. Any other command
    replaces this process.
    """
    # Blocked until the server runs: the kernel drops signals to a container's main process that has no handler.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    command = list(arguments)
    is_inside = command[:1] == [INSIDE]
    if is_inside:
        command.pop(0)
    if not command or command[0].startswith("-"):
        command.insert(0, "tritonserver")
    is_server = os.path.basename(command[0]) == "tritonserver"  # noqa: PTH119 - pathlib costs 10 ms of every start
    if is_server and not set(INFORMATIONAL).intersection(command) and os.environ.get("TRITON_LOG_FORMAT") == "json":
        return _with_json_log(lambda output: _run(command, serving, is_inside=is_inside, output=output))
    return _run(command, serving, is_inside=is_inside)


def _with_json_log(run: Callable[[int], int]) -> int:
    """Everything that this process and its children write becomes JSON on stdout."""
    from .log_pipe import LogPipe

    pipe = LogPipe()
    log.sink = pipe.put
    try:
        return run(pipe.requests)
    finally:
        log.sink = None
        pipe.close()


def _run(command: Sequence[str], serving: str, *, is_inside: bool, output: int | None = None) -> int:
    if os.environ.pop("AIP_MODE", ""):  # turns HTTP and gRPC off in Triton, and any command into arguments of it
        log.log(
            "AIP_MODE is ignored: configure Vertex AI with port 8000 and /v2/... as its routes (docs/operations.md)"
        )
    if not is_inside:
        base_entry.run()
    if "LD_LIBRARY_PATH" in os.environ:  # the loader reads an empty entry as the current folder (ld.so(8))
        os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, os.environ["LD_LIBRARY_PATH"].split(":")))
    if os.path.basename(command[0]) != "tritonserver":  # noqa: PTH119
        return _become(command[0], command)
    program = _program(command[0], serving)
    if set(INFORMATIONAL).intersection(command):
        return _become(program, [program, *command[1:]])
    from .main import main as supervise

    return supervise(program, command[1:], serving, output)


def _program(name: str, serving: str) -> str:
    """`name` if it is a path, but not of our own wrapper; else the base image's server, regardless of PATH."""
    is_wrapper = os.path.realpath(name).startswith(os.path.join(serving, ""))  # noqa: PTH118
    return name if "/" in name and not is_wrapper else TRITON


def _become(program: str, command: Sequence[str]) -> int:
    """Replaces this process, with default signal handling. Returns an exit code only if `program` does not start."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGINT])
    try:
        os.execvp(program, list(command))
    except OSError as error:
        log.log(f"{program} cannot be run ({error.strerror}); use flags of tritonserver, or a command such as bash")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
