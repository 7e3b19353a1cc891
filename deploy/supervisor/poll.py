"""Many sockets in one thread with epoll(7), and buffered writes to slow readers."""

import contextlib
import select
import socket
import time
from collections.abc import Callable

# Events of one wait: the list for them is allocated each time.
MAX_EVENTS = 128
ENDED = select.EPOLLERR | select.EPOLLHUP


class Poll:
    """Calls the functions registered for sockets. `now`: the time of the last wait (time.monotonic())."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[int], None]] = {}
        self.now = time.monotonic()

    def add(self, connection: socket.socket, events: int, call: Callable[[int], None]) -> None:
        """Registers a socket until `forget`."""
        self._epoll.register(connection, events)
        self._calls[connection.fileno()] = call

    def change(self, connection: socket.socket, events: int) -> None:
        """Changes the events of a socket."""
        self._epoll.modify(connection, events)

    def forget(self, connection: socket.socket) -> None:
        """Unregisters a socket; call it before the socket is closed."""
        self._epoll.unregister(connection)
        del self._calls[connection.fileno()]

    def wait(self, seconds: float) -> None:
        """Waits up to `seconds` for events and handles them."""
        found = self._epoll.poll(seconds, MAX_EVENTS)
        self.now = time.monotonic()
        for number, events in found:
            call = self._calls.get(number)
            if call:  # an earlier event in the list may have closed it
                call(events)


class Side:
    """A non-blocking connection; `pending` holds bytes that its reader has not accepted yet."""

    def __init__(self, connection: socket.socket, poll: Poll, call: Callable[[int], None]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.pending = b""
        self._poll, self._events = poll, select.EPOLLIN
        poll.add(connection, self._events, call)

    def send(self, content: bytes = b"") -> None:
        """Sends what it can, and keeps the rest for the next call. Raises OSError for a closed connection."""
        if self.pending:
            content = self.pending + content
        try:
            self.pending = content[self.connection.send(content) :]
        except BlockingIOError:
            self.pending = content

    def listen(self, *, to_input: bool) -> None:
        """Selects the events: input if `to_input`, and room to write while bytes are pending."""
        events = (select.EPOLLIN if to_input else 0) | (select.EPOLLOUT if self.pending else 0)
        if events != self._events:
            self._poll.change(self.connection, events)
            self._events = events

    def close(self) -> None:
        """Closes at once."""
        self._poll.forget(self.connection)
        with contextlib.suppress(OSError):
            self.connection.close()
