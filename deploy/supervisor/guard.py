"""Before Triton: refuses requests that would end it, passes on all others, and corrects the status of errors.

A process of its own, which inherits the listening socket as its standard input, as from inetd(8).
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Sequence

from .body_limits import Rules
from .poll import Poll
from .relay import Relay

LOOK = 1.0
BACKLOG = 1024
MOST = 10_000
_START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from supervisor import guard
guard.main(sys.argv[1:])
"""


class Place:
    """Where a guard listens for clients, and an address behind it that is kept for Triton. Raises OSError.

    Triton needs --reuse-http-port for it. A gate.Gate may listen for clients on the same port.
    """

    def __init__(self, host: str, port: int, rules: Rules) -> None:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self.listening = _bound(family, host, port)
        self.listening.listen(BACKLOG)
        self._kept = _bound(socket.AF_INET, "127.0.0.1", 0)
        self._rules = rules

    def command(self, python: str) -> list[str]:
        """Of the process; `listening` is to be its standard input, and of no other process."""
        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - see canary.py
        host, port = self.upstream
        rules = [self._rules.max_bytes, int(self._rules.may_classify), int(self._rules.may_share)]
        return [python, "-I", "-S", "-B", "-c", _START, folder, host, str(port), *map(str, rules)]

    @property
    def upstream(self) -> tuple[str, int]:
        """Host and port for Triton."""
        host, port = self._kept.getsockname()
        return str(host), int(port)

    @property
    def triton_flags(self) -> list[str]:
        """With which Triton listens there."""
        host, port = self.upstream
        return [f"--http-address={host}", f"--http-port={port}", "--reuse-http-port=true"]


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    return bound


class Guard:
    """Serves one listening socket until the process ends; `most` connections at a time."""

    def __init__(self, listening: socket.socket, upstream: tuple[str, int], rules: Rules, most: int = MOST) -> None:
        self._listening, self._upstream, self._rules = listening, upstream, rules
        self._poll = Poll()
        self._relays: list[Relay] = []
        self._most = most
        listening.setblocking(False)
        self._poll.add(listening, select.EPOLLIN, self._accept)

    def run(self) -> None:
        """For ever."""
        looked = time.monotonic()
        while True:
            self._poll.wait(LOOK)
            if self._poll.now - looked >= LOOK:
                looked = self._poll.now
                self._look()

    def _look(self) -> None:
        for relay in self._relays:
            relay.look()
        self._relays = [relay for relay in self._relays if not relay.is_closed]

    def _accept(self, _events: int) -> None:
        with contextlib.suppress(OSError):  # it is gone already
            connection, _ = self._listening.accept()
            connection.setblocking(False)
            if self._has_room():
                self._relays.append(Relay(connection, self._poll, self._upstream, self._rules))
            else:
                connection.close()

    def _has_room(self) -> bool:
        """Makes it, where need be, at the cost of the client that has not been heard of for longest."""
        if len(self._relays) >= self._most:
            self._relays = [relay for relay in self._relays if not relay.is_closed]
        if len(self._relays) >= self._most:
            spare = min((relay for relay in self._relays if relay.is_spare), key=lambda each: each.heard, default=None)
            if not spare:
                return False
            spare.close()
        return True


def main(arguments: Sequence[str]) -> None:
    """The process; it ends with its parent: prctl(PR_SET_PDEATHSIG, SIGKILL)."""
    import ctypes

    host, port, max_bytes, may_classify, may_share = arguments
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    most = min(MOST, (descriptors - 16) // 2)  # one for the client and one for Triton
    rules = Rules(int(max_bytes), may_classify == "1", may_share == "1")
    Guard(socket.socket(fileno=0), (host, int(port)), rules, most).run()
