"""One client's connection and the one to Triton behind it: bytes pass through, one request at a time."""

from __future__ import annotations

import errno
import json
import select
import socket
import sys
from collections.abc import Callable

from .body_limits import Rules
from .http_messages import RefusedError
from .poll import ENDED, Poll, Side
from .request import Request
from .response import Response

CHUNK = 64 * 1024
# A request must come within so many seconds, and one more for each so many bytes of it. For as long, a client that
# was refused may send on what nobody reads: only then it gets to read why (RFC 9112, 9.6).
PATIENCE = 30.0
BYTES_A_SECOND = 64 * 1024


class Relay:
    """Until `is_closed`. Triton listens at `upstream`."""

    def __init__(self, client: socket.socket, poll: Poll, upstream: tuple[str, int], rules: Rules) -> None:
        self.is_closed = False
        self.since: float | None = poll.now  # when the client began to owe us something, None when it does not
        self.heard = poll.now  # of the client, last, be it that it took some of its answer
        self._received = 0  # of what it owes
        self._poll, self._upstream, self._rules = poll, upstream, rules
        self._client = Side(client, poll, lambda events: self._happened(self._client_happened, events))
        self._triton: Side | None = None
        self._reads_on = True  # Triton does; what it answered before it stopped to may still lie there
        self._incoming = self._outgoing = b""  # read, and not yet complete enough to be passed on
        self._request = Request(rules)  # that the client owes
        self._response: Response | None = None  # that Triton owes
        self._has_served = False  # an answer or more
        self._is_ended = False  # the client sends no more
        self._is_last = False  # the client gets what is pending, and no more is taken from it

    @property
    def is_spare(self) -> bool:
        """Nothing but its client would lose by its end: no request of it is with Triton, no answer on its way."""
        return not self._client.pending and (not self._response or self._request.has_begun)

    def look(self) -> None:
        """To be called every second: ends what takes too long, and who takes nothing of an answer."""
        if self._client.pending and self._poll.now - self.heard > PATIENCE:
            self.close()
        elif self.since is not None and self._poll.now - self.since > PATIENCE + self._received / BYTES_A_SECOND:
            if self._is_last or not self._received:
                self.close()
            else:
                slow = RefusedError("408 Request Timeout", "the request did not come in time")
                self._happened(lambda _: self._refuse(slow), 0)

    def close(self) -> None:
        """Both connections, at once."""
        if not self.is_closed:
            self.is_closed = True
            self._client.close()
            self._leave()

    def _happened(self, call: Callable[[int], None], events: int) -> None:
        try:
            try:
                call(events)
            except RefusedError as refused:
                self._refuse(refused)
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        except Exception as error:  # a fault of ours must not cost the others their connections
            print(f"guard: {error!r}", file=sys.stderr, flush=True)
            self.close()
        if self._is_ended and self.is_spare:
            self.close()
        if not self.is_closed:
            self._listen()

    def _listen(self) -> None:
        """Who is read from: nobody whose counterpart does not keep up."""
        is_held = bool(self._response and self._incoming and not self._request.has_begun)
        is_behind = bool(self._triton and self._triton.pending)
        self._client.listen(to_input=not (self._is_ended or is_held or is_behind))
        if self._triton:
            self._triton.listen(to_input=not self._client.pending)

    def _client_happened(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._client.send()
            self._say_goodbye()
        self.heard = self._poll.now
        if events & select.EPOLLIN:
            content = self._client.connection.recv(self._request.appetite)
            if not content:
                self._is_ended = True  # it may be waiting for what it asked for
            elif not self._is_last:
                self._incoming = self._incoming + content if self._incoming else content
                self._received += len(content)
                self._advance()
        elif events & ENDED:
            self.close()

    def _advance(self) -> None:
        """Passes on what came of the request whose turn it is."""
        if not self._incoming or (self._response and not self._request.has_begun):
            return  # the answer to the one before comes first
        if self.since is None:
            self.since, self._received = self._poll.now, len(self._incoming)
        used = self._request.take(self._incoming)
        if not used:
            return
        self._response = self._response or Response(self._request)
        if self._request.is_done:
            self._request, self.since = Request(self._rules), None
        passed, self._incoming = self._incoming[:used], self._incoming[used:]
        try:
            triton = self._connected()
        except OSError:
            self._unanswered()
        else:
            self._send_on(triton, passed)

    def _send_on(self, triton: Side, content: bytes = b"") -> None:
        """To Triton, unless it reads no more: an answer that came before the request's end is still to be read."""
        try:
            if self._reads_on:
                triton.send(content)
        except OSError:
            self._reads_on, triton.pending = False, b""

    def _connected(self) -> Side:
        if not self._triton:
            connection = socket.socket()
            connection.setblocking(False)
            code = connection.connect_ex(self._upstream)
            if code not in (0, errno.EINPROGRESS):
                connection.close()
                raise ConnectionError(code)
            self._triton = Side(connection, self._poll, lambda events: self._happened(self._triton_happened, events))
        return self._triton

    def _triton_happened(self, events: int) -> None:
        triton = self._connected()
        if events & select.EPOLLOUT:
            self._send_on(triton)
        try:
            content = triton.connection.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        if not content:
            self._triton_ended()
        elif not self._response:
            self.close()  # an answer that nobody asked for
        else:
            self._pass_on(self._response, self._outgoing + content)

    def _pass_on(self, response: Response, content: bytes) -> None:
        """To the client."""
        self.heard = self._poll.now
        used, passed = response.take(content)
        self._outgoing = content[used:]
        self._client.send(passed)
        if response.is_done:
            self._response, self._has_served = None, True
            if self._request.has_begun or self._outgoing:
                self._finish()  # answered before it was asked in full
            else:
                self._advance()

    def _triton_ended(self) -> None:
        if not self._response or self._response.is_unending:
            self._finish()
        elif self._response.has_begun:
            self.close()
        else:
            self._unanswered()

    def _unanswered(self) -> None:
        """Triton is not there, or ended a connection that was to be kept: a client knows to ask anew then."""
        if self._has_served:
            self._finish()
        else:
            raise RefusedError("502 Bad Gateway", "the server gave no answer")

    def _refuse(self, refused: RefusedError) -> None:
        """The client gets the reason, where it has not got half an answer already."""
        if self._response and self._response.has_begun:
            self.close()
            return
        body = json.dumps({"error": str(refused)}).encode()
        head = f"HTTP/1.1 {refused.status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        self._finish(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def _finish(self, content: bytes = b"") -> None:
        """`content` is the last the client gets."""
        self._leave()
        self._response = None
        self._incoming = self._outgoing = b""
        self._is_last, self.since, self._received = True, self._poll.now, 0
        if content:
            self._client.send(content)
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        if self._is_last and not self._client.pending:
            self._client.connection.shutdown(socket.SHUT_WR)

    def _leave(self) -> None:
        if self._triton:
            self._triton.close()
            self._triton, self._reads_on = None, True
