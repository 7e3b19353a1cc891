"""Triton and its stubs as one thing that runs, is harmed, or has ended."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence

from . import processes, stack
from .guard import Place

STUB = "triton_python_b"
# A model that fails to load ends its stub, and Triton then says why and ends, too: it gets this long.
LOAD_FAULT_SECONDS = 3.0


class Server:
    """tritonserver in a process group of its own, and its guard where it has one."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        resource.setrlimit(resource.RLIMIT_STACK, stack.limit())
        self.pid = os.posix_spawnp(
            command[0], list(command), dict(environment), setpgroup=0, setsigmask=(),
            setsigdef=(signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE),
        )  # fmt: skip
        self.exit_code: int | None = None
        self._members: dict[int, processes.Process] = {}
        self._needed: dict[int, str] = {}  # what each process is for
        self._environment = environment
        self._place: Place | None = None
        self._regions: set[str] = set()
        self._harmed_since = 0.0

    def start_guard(self, place: Place) -> None:
        """In a process beside the stubs, watched and ended like them. `place` listens nowhere else from then on."""
        pid = os.posix_spawnp(
            sys.executable, place.command(sys.executable), self._environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, place.listening.fileno(), 0)],
            setpgroup=self.pid, setsigmask=(), setsigdef=(signal.SIGTERM, signal.SIGINT, signal.SIGCHLD),
        )  # fmt: skip
        self._needed[pid] = "guard"
        place.listening.close()
        self._place = place  # whose other port stays ours

    def look(self) -> None:
        """Reads the processes anew; to be called often."""
        self.exit_code = processes.reap().get(self.pid, self.exit_code)
        self._members = processes.group(self.pid)
        # Triton's own children only: a model may start processes, and those may end.
        new = {
            pid for pid, each in self._members.items() if each.name == STUB and each.parent == self.pid
        } - self._needed.keys()
        self._needed.update(dict.fromkeys(new, "Python stub"))
        self._regions |= processes.regions(new)

    def harm(self, *, is_ready: bool) -> str:
        """What is wrong with the processes, in a few words; empty when nothing is."""
        if self.exit_code is not None:
            return f"Triton ended with exit code {self.exit_code}" if self.exit_code >= 0 else self._killed()
        found = self._process_harm()
        if not found:
            self._harmed_since = 0.0
            return ""
        self._harmed_since = self._harmed_since or time.monotonic()
        grace = 0.4 if is_ready else LOAD_FAULT_SECONDS
        return found if time.monotonic() - self._harmed_since >= grace else ""

    def _killed(self) -> str:
        return f"Triton was ended by signal {-(self.exit_code or 0)}"

    def _process_harm(self) -> str:
        for pid, name in sorted(self._needed.items()):
            if pid not in self._members or self._members[pid].state in processes.DEAD:
                return f"the {name} with process id {pid} ended"
        stopped = [str(pid) for pid, process in self._members.items() if process.state == processes.STOPPED]
        return f"process {', '.join(stopped)} is stopped (SIGSTOP)" if stopped else ""

    def seconds_used(self) -> float:
        """Processor seconds of all processes, as of the last look."""
        return processes.seconds_used(self._members.values())

    def works(self) -> bool:
        """True while any thread has something to do."""
        return processes.any_runs(self._members)

    def terminate(self, seconds: float) -> None:
        """SIGTERM, and up to `seconds` for Triton to end by itself; its guard stays for what it may still answer."""
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.01)
            self.look()

    def end(self) -> None:
        """Leaves no process and no shared memory."""
        self.look()
        processes.kill(self.pid)
        processes.remove(self._regions)
