"""Triton's process group from /proc, and the shared memory of its Python stubs."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

SHARED_MEMORY = "/dev/shm"
DEAD, STOPPED, RUNNING = "ZX", "T", "RD"
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """`state`: the letter that ps shows. `ticks`: processor time used."""

    pid: int
    parent: int
    name: str
    state: str
    ticks: int


def group(leader: int) -> dict[int, Process]:
    """The processes of a group by process id, including zombies."""
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs 10 ms of every start
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                process_group, process = _process(int(name))
                if process_group == leader:
                    found[process.pid] = process
    return found


def _process(pid: int) -> tuple[int, Process]:
    head, _, rest = _read(f"/proc/{pid}/stat").rpartition(")")
    fields = rest.split()
    process = Process(pid, int(fields[1]), head.partition("(")[2], fields[0], int(fields[11]) + int(fields[12]))
    return int(fields[2]), process


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return file.read()


def cpu_seconds(members: Iterable[Process]) -> float:
    """Processor seconds of all `members`."""
    return sum(process.ticks for process in members) / TICKS_A_SECOND


def any_runs(pids: Iterable[int]) -> bool:
    """True while a thread of these processes runs, or waits for a processor or a disk."""
    for pid in pids:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
                if _read(f"/proc/{pid}/task/{thread}/stat").rpartition(")")[2].split()[0] in RUNNING:
                    return True
    return False


def regions(pid: int) -> set[str]:
    """The shared memory of a stub, from the names on its command line."""
    try:
        return set(os.listdir(SHARED_MEMORY)).intersection(_read(f"/proc/{pid}/cmdline").split("\0"))  # noqa: PTH208
    except OSError:
        return set()


def remove(names: Iterable[str]) -> None:
    """Unlinks the shared memory that still exists."""
    for name in names:
        with contextlib.suppress(OSError):
            os.unlink(f"{SHARED_MEMORY}/{name}")  # noqa: PTH108


def reap() -> dict[int, int]:
    """{process id: exit code, negative for a signal} of children that ended, including adopted orphans."""
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            ended[pid] = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return ended


def kill(leader: int, seconds: float = 2.0) -> None:
    """Sends SIGKILL to the group; returns when no process runs, or after `seconds`."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reap()
        if all(process.state in DEAD for process in group(leader).values()):
            return
        time.sleep(0.01)


def unread_bytes(ports: Iterable[int]) -> int:
    """Received bytes that are unread, and connections not accepted, on these local ports (proc_net_tcp(5))."""
    port_fields, total = {f"{port:04X}" for port in ports}, 0
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in _read(f"/proc/net/{table}").splitlines()[1:]:
                fields = line.split()
                if fields[1].rpartition(":")[2] in port_fields:
                    total += int(fields[4].partition(":")[2], 16)
    return total
