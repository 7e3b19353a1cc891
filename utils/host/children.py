"""Child processes that do not outlive this one, and who it is. Standard library only."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from utils.host.base_python import base_python

# A parent that is killed outright cannot end its children; the kernel does it then (prctl PR_SET_PDEATHSIG; Linux only,
# elsewhere left out). The parent is asked for afterwards in case it died before the call.
_START = """
import ctypes, os, sys
getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)(1, int(sys.argv[1]))
os.getppid() == int(sys.argv[2]) or os._exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


def with_parent_death_signal(command: Sequence[str], number: signal.Signals = signal.SIGKILL) -> list[str]:
    """`command` (its program an absolute path), to be sent `number` when this process ends before it."""
    return [base_python(), "-I", "-S", "-c", _START, str(int(number)), str(os.getpid()), *command]


@contextlib.contextmanager
def clearing_up(command: Sequence[str], *, stdout: int, stderr: int | None = None) -> "Iterator[subprocess.Popen[str]]":
    """`command` as a child that is told to end, and has the time to clear up, when the block fails."""
    with subprocess.Popen(
        with_parent_death_signal(command, signal.SIGTERM),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        errors="replace",
    ) as child:
        try:
            yield child
        except BaseException:
            child.terminate()
            raise


def this_process() -> str:
    """What tells this process from every other one that ever ran on this machine; empty where /proc is not."""
    started = _started(os.getpid())
    return f"{_machine()}-{os.getpid()}-{started}" if started else ""


def is_dead(process: str) -> bool:
    """True when `process`, a name that `this_process` gave, ran here and does not any more; unknown counts as alive."""
    match = re.fullmatch(r"(.+)-(\d+)-(\d+)", process)
    return match is not None and match[1] == _machine() and _started(int(match[2])) != match[3]


def _machine() -> str:
    """The boot and the container: elsewhere, process ids are others'."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116  (Path.stat resolves the link's text)
    except OSError:
        return ""


def _started(pid: int) -> str:
    """The process's start, in ticks since boot; empty for one that has ended, reaped or not."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
