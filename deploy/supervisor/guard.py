"""The request guard: a proxy in front of Triton's HTTP port.

It rejects requests that would crash Triton, passes on all others, and corrects the status of errors. It runs in
processes of its own, with the listening socket as their standard input, as with inetd(8).
"""

import contextlib
import gc
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .body_limits import Rules
from .poll import Poll
from .relay import Relay
from .request_log import RequestLog

if TYPE_CHECKING:
    from .try_page import TryPage

CHECK_SECONDS = 1.0
# Between two writes to the log: one for each request would cost more than its line.
FLUSH_SECONDS = 0.1
BACKLOG = 1024
MAX_CONNECTIONS = 10_000
_START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from supervisor import guard
guard.main(sys.argv[1:])
"""


class Place:
    """The guard's listening socket, and a reserved loopback address for Triton behind it. Raises OSError.

    Triton needs --reuse-http-port for that address. A gate.Gate may listen on the guard's port as well. `page`: the
    arguments of try_page.read, to serve the try-it page as well. `processes`: how many share the listening socket.
    """

    def __init__(
        self, host: str, port: int, rules: Rules, page: tuple[str, str] | None = None, *, processes: int = 1
    ) -> None:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self.listening = bound(family, host, port)
        self.listening.listen(BACKLOG)
        self._reserved = bound(socket.AF_INET, "127.0.0.1", 0)
        self._rules, self._page, self.processes = rules, page or ("", ""), processes

    def command(self, python: str, log: Sequence[str] = ()) -> list[str]:
        """The command of each of the guard's processes; `listening` must be its standard input.

        The socket must be open in no process but these.

        `log`: [] or, to log requests as JSON on its standard output, [RequestLog.times].
        """
        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - see canary.py
        host, port = self.upstream
        rules = [self._rules.max_bytes, int(self._rules.may_classify), int(self._rules.may_share)]
        numbers = map(str, [port, self.processes, *rules])
        return [python, "-I", "-S", "-B", "-c", _START, folder, host, *numbers, *self._page, *log]

    @property
    def upstream(self) -> tuple[str, int]:
        """Host and port of Triton."""
        host, port = self._reserved.getsockname()
        return str(host), int(port)

    @property
    def triton_flags(self) -> list[str]:
        """Triton's flags to listen on `upstream`."""
        host, port = self.upstream
        return [f"--http-address={host}", f"--http-port={port}", "--reuse-http-port=true"]


def bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """A socket that can share its port with others of this user. Raises OSError."""
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((host, port))
    return listening


class Guard:
    """Serves a listening socket until the process exits, with at most `max_connections`. `log` gets the requests.

    `page`: the try-it page, if it is served. `is_shared`: other processes accept connections from the socket, too.
    """

    def __init__(
        self,
        listening: socket.socket,
        upstream: tuple[str, int],
        rules: Rules,
        max_connections: int = MAX_CONNECTIONS,
        log: RequestLog | None = None,
        page: "TryPage | None" = None,
        *,
        is_shared: bool = False,
    ) -> None:
        self._listening, self._upstream, self._rules = listening, upstream, rules
        self._poll = Poll()
        self._relays: list[Relay] = []
        self._max_connections, self._log, self._page = max_connections, log, page
        self._is_shared = is_shared
        listening.setblocking(False)
        self._await_connection()

    def run(self) -> None:
        """Never returns."""
        last_check = last_flush = time.monotonic()
        while True:
            self._poll.wait(FLUSH_SECONDS if self._log else CHECK_SECONDS)
            if self._log and self._poll.now - last_flush >= FLUSH_SECONDS:
                last_flush = self._poll.now
                self._log.flush()
            if self._poll.now - last_check >= CHECK_SECONDS:
                last_check = self._poll.now
                for relay in self._relays:
                    relay.check_timeouts()
                self._relays = [relay for relay in self._relays if not relay.is_closed]

    def _await_connection(self) -> None:
        """For a shared socket the kernel wakes one process, the first in its list that waits."""
        exclusive = select.EPOLLEXCLUSIVE if self._is_shared else 0
        self._poll.add(self._listening, select.EPOLLIN | exclusive, self._accept)

    def _accept(self, _events: int) -> None:
        with contextlib.suppress(OSError):  # the client has gone already
            connection, _ = self._listening.accept()
            connection.setblocking(False)
            if self._has_room():
                relay = Relay(connection, self._poll, self._upstream, self._rules, self._log, self._page)
                self._relays.append(relay)
            else:
                connection.close()
            if self._is_shared:  # moves this process to the end of the list: each takes its turn
                self._poll.forget(self._listening)
                self._await_connection()

    def _has_room(self) -> bool:
        """Closes the idle connection with the oldest activity if the limit is reached."""
        if len(self._relays) >= self._max_connections:
            self._relays = [relay for relay in self._relays if not relay.is_closed]
        if len(self._relays) >= self._max_connections:
            idle = (relay for relay in self._relays if relay.is_idle)
            oldest = min(idle, key=lambda each: each.last_activity, default=None)
            if not oldest:
                return False
            oldest.close()
        return True


def main(arguments: Sequence[str]) -> None:
    """The guard's process. It exits with its parent: prctl(PR_SET_PDEATHSIG, SIGKILL)."""
    import ctypes

    host, port, processes, max_bytes, may_classify, may_share, page_folder, page_data, *times = arguments
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    # One descriptor for the client, one for Triton.
    most = min(MAX_CONNECTIONS // int(processes), (descriptors - 16) // 2)
    rules = Rules(int(max_bytes), may_classify == "1", may_share == "1")
    log = RequestLog(1, times[0]) if times else None
    page = None
    if page_folder:
        from . import try_page

        page = try_page.read(page_folder, page_data)
    served = Guard(socket.socket(fileno=0), (host, int(port)), rules, most, log, page, is_shared=int(processes) > 1)
    gc.freeze()  # a collection need not look at the modules
    served.run()
