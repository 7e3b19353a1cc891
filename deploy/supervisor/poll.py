"""Many sockets in one thread: epoll(7), and what is written to a socket as fast as its reader reads."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable

ENDED = select.EPOLLERR | select.EPOLLHUP


class Poll:
    """Calls what is registered for a socket with its events. `now` is when it last looked (time.monotonic())."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[int], None]] = {}
        self.now = time.monotonic()

    def add(self, connection: socket.socket, events: int, call: Callable[[int], None]) -> None:
        """From now on, until `forget`."""
        self._epoll.register(connection, events)
        self._calls[connection.fileno()] = call

    def change(self, connection: socket.socket, events: int) -> None:
        """Other events of a socket."""
        self._epoll.modify(connection, events)

    def forget(self, connection: socket.socket) -> None:
        """To be called before the socket is closed."""
        self._epoll.unregister(connection)
        del self._calls[connection.fileno()]

    def wait(self, seconds: float) -> None:
        """One look."""
        found = self._epoll.poll(seconds)
        self.now = time.monotonic()
        for number, events in found:
            call = self._calls.get(number)
            if call:  # one before it in the list may have ended it
                call(events)


class Side:
    """A non-blocking connection; `pending` is what its reader was too slow for."""

    def __init__(self, connection: socket.socket, poll: Poll, call: Callable[[int], None]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.pending = b""
        self._poll, self._events = poll, select.EPOLLIN
        poll.add(connection, self._events, call)

    def send(self, content: bytes = b"") -> None:
        """What goes now goes now, the rest with the next call. Raises OSError for a connection that ended."""
        if self.pending:
            content = self.pending + content
        try:
            self.pending = content[self.connection.send(content) :]
        except BlockingIOError:
            self.pending = content

    def listen(self, *, to_input: bool) -> None:
        """Which events are of interest from here on: input, if wanted, and room while something is pending."""
        events = (select.EPOLLIN if to_input else 0) | (select.EPOLLOUT if self.pending else 0)
        if events != self._events:
            self._poll.change(self.connection, events)
            self._events = events

    def close(self) -> None:
        """Without waiting for anything."""
        self._poll.forget(self.connection)
        with contextlib.suppress(OSError):
            self.connection.close()
