"""Triton's process group: the server, its Python stubs, the guard and the API process."""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence

from . import processes
from .api_process import ApiProcess
from .guard import Place

STUB = "triton_python_b"
# A model that fails to load ends its stub. Triton then reports the reason and exits: it gets this long.
LOAD_FAULT_SECONDS = 3.0
FAULT_SECONDS = 0.4


class Server:
    """tritonserver in a process group of its own, with its guard if enabled."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.pid = os.posix_spawnp(
            command[0], list(command), dict(environment), setpgroup=0, setsigmask=(),
            setsigdef=(signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE),
        )  # fmt: skip
        self.exit_code: int | None = None
        self._members: dict[int, processes.Process] = {}
        self._required: dict[int, str] = {}  # process id to role
        self._environment = environment
        self._place: Place | None = None
        self._regions: dict[int, set[str]] = {}  # of each stub
        self._faulty_since = 0.0
        self._api = 0  # its process id

    def start_guard(self, place: Place, output: int | None, times: str) -> None:
        """Starts the guard's processes in the process group, and closes this process's copy of their listening socket.

        `output`: the file descriptor for request lines, if it logs requests; `times`: as for RequestLog.
        """
        actions = [(os.POSIX_SPAWN_DUP2, place.listening.fileno(), 0)]
        if output is not None:
            actions.append((os.POSIX_SPAWN_DUP2, output, 1))
        command = place.command(sys.executable, [] if output is None else [times])
        for _ in range(place.processes):
            self._start("guard", command, actions)
        place.listening.close()
        self._place = place  # keeps Triton's port reserved

    def start_api(self, process: ApiProcess, listening: socket.socket) -> None:
        """Starts the API process in the process group, and closes this process's copy of its socket."""
        actions = [(os.POSIX_SPAWN_DUP2, listening.fileno(), 0)]
        self._api = self._start("API process", process.command(sys.executable), actions)
        listening.close()

    def _start(self, role: str, command: Sequence[str], actions: Sequence[tuple[int, int, int]]) -> int:
        """Starts a Python process of the group, which fails if that process ends; returns its id."""
        pid = os.posix_spawnp(
            sys.executable, list(command), self._environment, file_actions=actions, setpgroup=self.pid, setsigmask=(),
            setsigdef=(signal.SIGTERM, signal.SIGINT, signal.SIGCHLD),
        )  # fmt: skip
        self._required[pid] = role
        return pid

    def drain_api(self, deadline: float) -> bool:
        """Ends the API process after its last response; False if it still has requests at the `deadline`."""
        if not self._api:
            return True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._api, signal.SIGTERM)
        while self._api in self._members and self._members[self._api].state not in processes.DEAD:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
            self.update()
        return True

    def update(self) -> None:
        """Reads the state of the processes; call it often."""
        self.exit_code = processes.reap().get(self.pid, self.exit_code)
        self._members = processes.group(self.pid)
        # Triton's own children only: a model may start processes, and those may exit.
        stubs = [pid for pid, each in self._members.items() if each.name == STUB and each.parent == self.pid]
        self._required.update(dict.fromkeys(stubs, "Python stub"))
        for pid in stubs:
            # In execve() a process has its new name before its new command line: read again until that is there.
            self._regions[pid] = self._regions.get(pid) or processes.regions(pid)

    def fault(self, *, is_ready: bool) -> str:
        """What is wrong with the processes, in a few words; empty if nothing is."""
        if self.exit_code is not None:
            if self.exit_code >= 0:
                return f"Triton ended with exit code {self.exit_code}"
            return f"Triton was ended by signal {-self.exit_code}"
        found = self._process_fault()
        if not found:
            self._faulty_since = 0.0
            return ""
        self._faulty_since = self._faulty_since or time.monotonic()
        grace = FAULT_SECONDS if is_ready else LOAD_FAULT_SECONDS
        return found if time.monotonic() - self._faulty_since >= grace else ""

    def _process_fault(self) -> str:
        for pid, role in sorted(self._required.items()):
            if pid not in self._members or self._members[pid].state in processes.DEAD:
                return f"the {role} with process id {pid} ended"
        stopped = [str(pid) for pid, process in self._members.items() if process.state == processes.STOPPED]
        return f"process {', '.join(stopped)} is stopped (SIGSTOP)" if stopped else ""

    def cpu_seconds(self) -> float:
        """Processor seconds of all processes, as of the last update."""
        return processes.cpu_seconds(self._members.values())

    def has_runnable_thread(self) -> bool:
        """True while any thread has work."""
        return processes.any_runs(self._members)

    def terminate(self, seconds: float) -> None:
        """Sends SIGTERM and waits up to `seconds`. The guard stays for responses that it may still pass on."""
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.01)
            self.update()

    def close(self) -> None:
        """Kills all processes and removes their shared memory."""
        self.update()
        processes.kill(self.pid)
        processes.remove(set().union(*self._regions.values()))
