"""Child processes that end with this one, and a unique name for this process. Standard library only."""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils import ROOT
from utils.host.base_python import base_python

# A killed parent cannot end its children, so the kernel does (prctl PR_SET_PDEATHSIG; Linux only). The parent is
# checked afterwards in case it ended before the call.
_START = """
import ctypes, os, sys
getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)(1, int(sys.argv[1]))
os.getppid() == int(sys.argv[2]) or os._exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


def with_parent_death_signal(command: Sequence[str], number: signal.Signals = signal.SIGKILL) -> list[str]:
    """`command` (its program an absolute path), which gets signal `number` if this process ends first."""
    return [base_python(), "-I", "-S", "-c", _START, str(int(number)), str(os.getpid()), *command]


def of_module(python: Path, module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this project with `python`, and ends with this process."""
    return with_parent_death_signal([str(python), "-I", str(ROOT / "utils" / "launch.py"), module, *arguments])


class NoAnswerError(Exception):
    """A child ended without an answer: its status and the last line of its stderr."""


def ask(
    python: Path,
    module: str,
    request: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """The JSON object that a module writes to stdout for the one on its stdin; NoAnswerError if it writes none.

    `environment` overrides variables of this process. subprocess.TimeoutExpired after `seconds`.
    """
    done = subprocess.run(
        of_module(python, module),
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        timeout=seconds,
        check=False,
    )
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NoAnswerError(f"status {done.returncode} ({last_line})") from None


@contextlib.contextmanager
def child_process(
    command: Sequence[str],
    *,
    stdout: int,
    stderr: int | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> "Iterator[subprocess.Popen[str]]":
    """Runs `command` in a session of its own. When the block fails, the session gets SIGTERM and time to clean up.

    It gets SIGKILL if it still runs after `seconds`. `environment` overrides variables of this process.
    """
    with subprocess.Popen(
        with_parent_death_signal(command, signal.SIGTERM),
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as child:
        try:
            yield child
        except BaseException:
            terminate([child], seconds)
            raise


@contextlib.contextmanager
def time_limit(child: "subprocess.Popen[str]", seconds: float | None) -> Iterator[threading.Event]:
    """Ends the session of `child` after `seconds`, if any; the event is set then."""
    reached = threading.Event()

    def end() -> None:
        reached.set()
        terminate([child], 10)

    timer = threading.Timer(seconds, end) if seconds is not None else None
    if timer:
        timer.start()
    try:
        yield reached
    finally:
        if timer:
            timer.cancel()


def terminate(children: "Sequence[subprocess.Popen[str]]", seconds: float | None) -> None:
    """Ends sessions of `child_process` together: SIGTERM for all, and SIGKILL after `seconds` for those left.

    Without `seconds` the caller waits, after closing the pipes of the children.
    """
    # Not poll(), which reaps: the id of a session whose first process has ended must stay reserved for the others.
    running = [child for child in children if child.returncode is None]
    for child in running:
        _signal(child, signal.SIGTERM)
    if seconds is None:
        return
    deadline = time.monotonic() + seconds
    for child in running:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal(child, signal.SIGKILL)


def _signal(child: "subprocess.Popen[str]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def this_process() -> str:
    """A name unique among all processes that ever ran on this machine; empty without /proc."""
    started = _started(os.getpid())
    return f"{_machine()}-{os.getpid()}-{started}" if started else ""


def is_dead(process: str) -> bool:
    """True when `process`, a name from `this_process`, ran on this machine and has ended; unknown counts as running."""
    match = re.fullmatch(r"(.+)-(\d+)-(\d+)", process)
    return match is not None and match[1] == _machine() and _started(int(match[2])) != match[3]


def _machine() -> str:
    """The boot and the process id namespace: process ids are unique only within both."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116  (Path.stat resolves the link's text)
    except OSError:
        return ""


def _started(pid: int) -> str:
    """The start time of a process, in ticks since boot; empty if it has ended, even if not reaped."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
