"""Passes bytes between a client's connection and one to Triton, one request at a time."""

import errno
import json
import select
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .body_limits import Rules
from .http_messages import RefusedError
from .poll import ENDED, Poll, Side
from .request import Request
from .request_log import LEFT, RequestLog
from .response import Response

if TYPE_CHECKING:
    from .try_page import TryPage

CHUNK = 64 * 1024
# A request must arrive within this time, plus one second per BYTES_PER_SECOND of it. A refused client may keep sending
# for as long, because it reads the reason only after it has sent its request (RFC 9112, 9.6).
TIMEOUT_SECONDS = 30.0
BYTES_PER_SECOND = 64 * 1024


class Relay:
    """One client's connection, until `is_closed`. Triton listens at `upstream`; `log` gets the requests.

    `page`: the try-it page, if it is served.
    """

    def __init__(
        self,
        client: socket.socket,
        poll: Poll,
        upstream: tuple[str, int],
        rules: Rules,
        log: RequestLog | None,
        page: "TryPage | None" = None,
    ) -> None:
        self.is_closed = False
        self.waiting_since: float | None = poll.now  # for a request from the client; None while none is expected
        self.last_activity = poll.now  # when the client last sent or accepted bytes
        self._received = 0  # bytes of the request that is expected
        self._poll, self._upstream, self._rules, self._log, self._page = poll, upstream, rules, log, page
        self._is_local = bool(log) and client.getpeername()[0].startswith("127.")
        self._client = Side(client, poll, partial(self._handle, self._handle_client))
        self._triton: Side | None = None
        self._triton_reads = True  # False: Triton stopped reading, but its response may still be unread
        self._incoming = self._outgoing = b""  # received, but not complete enough to pass on
        self._request = Request(rules)  # the next one expected from the client
        self._response: Response | None = None  # expected from Triton
        self._has_served = False  # at least one response was passed on
        self._client_ended = False  # the client sends no more
        self._is_closing = False  # pending bytes are still sent, but no request is accepted

    @property
    def is_idle(self) -> bool:
        """True if no request is being processed, and no response is on its way."""
        return not self._client.pending and (not self._response or self._request.has_begun)

    def check_timeouts(self) -> None:
        """Call every second: refuses slow requests, and closes connections that do not accept their response."""
        if self._client.pending and self._poll.now - self.last_activity > TIMEOUT_SECONDS:
            self.close()
        elif (
            self.waiting_since is not None
            and self._poll.now - self.waiting_since > TIMEOUT_SECONDS + self._received / BYTES_PER_SECOND
        ):
            if self._is_closing or not self._received:
                self.close()
            else:
                slow = RefusedError("408 Request Timeout", "the request did not arrive in time")
                self._handle(lambda _: self._refuse(slow), 0)

    def close(self) -> None:
        """Closes both connections at once."""
        if not self.is_closed:
            self._log_request(LEFT)
            self.is_closed = True
            self._client.close()
            self._close_triton()

    def _handle(self, call: Callable[[int], None], events: int) -> None:
        try:
            try:
                call(events)
            except RefusedError as refused:
                self._refuse(refused)
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        except Exception as error:  # an internal error must not close other clients' connections
            print(f"guard: {error!r}", file=sys.stderr, flush=True)
            self.close()
        if self._client_ended and self.is_idle:
            self.close()
        if not self.is_closed:
            self._listen()

    def _listen(self) -> None:
        """Selects which side is read: none whose counterpart is behind."""
        client, triton = self._client, self._triton
        must_wait = self._incoming and self._response and not self._request.has_begun
        client.listen(to_input=not (must_wait or self._client_ended or (triton and triton.pending)))
        if triton:
            triton.listen(to_input=not client.pending)

    def _handle_client(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._client.send()
            self._end_client()
        self.last_activity = self._poll.now
        if events & select.EPOLLIN:
            content = self._client.connection.recv(self._request.appetite)
            if not content:
                self._client_ended = True  # it may still wait for a response
            elif not self._is_closing:
                self._incoming = self._incoming + content if self._incoming else content
                self._received += len(content)
                self._advance()
        elif events & ENDED:
            self.close()

    def _advance(self) -> None:
        """Passes on the received bytes of the current request."""
        if not self._incoming or (self._response and not self._request.has_begun):
            return  # the previous response comes first
        if self.waiting_since is None:
            self.waiting_since, self._received = self._poll.now, len(self._incoming)
        request = self._request
        request.began = request.began or self._poll.now
        is_new = not request.has_begun
        used = request.take(self._incoming)
        if not used:
            return
        if is_new and self._page and (answer := self._page.answer(request.head)):
            status, head, body = answer
            self._log_request(status)
            self._finish(request.id.with_header(head) + body)
            return
        passed, self._incoming = self._incoming[:used], self._incoming[used:]
        if is_new and self._log:
            passed = self._log.numbered(request, passed)
        self._response = self._response or Response(request)
        if request.is_done:
            request.sent = time.monotonic()
            self._request, self.waiting_since = Request(self._rules), None
        try:
            triton = self._connected()
        except OSError:
            self._no_response()
        else:
            self._send_on(triton, passed)

    def _send_on(self, triton: Side, content: bytes = b"") -> None:
        """Sends to Triton while it reads. A response from before the request's end must still be read."""
        try:
            if self._triton_reads:
                triton.send(content)
        except OSError:
            self._triton_reads, triton.pending = False, b""

    def _connected(self) -> Side:
        if not self._triton:
            connection = socket.socket()
            connection.setblocking(False)
            code = connection.connect_ex(self._upstream)
            if code not in (0, errno.EINPROGRESS):
                connection.close()
                raise ConnectionError(code)
            self._triton = Side(connection, self._poll, partial(self._handle, self._handle_triton))
        return self._triton

    def _handle_triton(self, events: int) -> None:
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
            self.close()  # a response without a request
        else:
            self._pass_on(self._response, self._outgoing + content)

    def _pass_on(self, response: Response, content: bytes) -> None:
        """Passes a response to the client."""
        self.last_activity = self._poll.now
        used, passed = response.take(content)
        self._outgoing = content[used:]
        self._client.send(passed)
        if response.is_done:
            self._log_request(response.status)
            self._response, self._has_served = None, True
            if self._request.has_begun or self._outgoing:
                self._finish()  # answered before the request was complete
            else:
                self._advance()

    def _triton_ended(self) -> None:
        if not self._response or self._response.is_unending:
            if self._response:
                self._log_request(self._response.status)
            self._finish()
        elif self._response.has_begun:
            self.close()
        else:
            self._no_response()

    def _no_response(self) -> None:
        """Triton is unreachable, or closed a kept connection: clients retry in that case."""
        if self._has_served:
            self._log_request(LEFT)
            self._finish()
        else:
            raise RefusedError("502 Bad Gateway", "the server did not respond")

    def _refuse(self, refused: RefusedError) -> None:
        """Sends the reason to the client, unless part of a response was sent already."""
        if self._response and self._response.has_begun:
            self.close()
            return
        body = json.dumps({"error": str(refused)}).encode()
        head = f"HTTP/1.1 {refused.status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        head = f"{head}Content-Length: {len(body)}\r\n\r\n"
        request = self._response.request if self._response else self._request
        self._log_request(int(refused.status[:3]), str(refused))
        self._finish(request.id.with_header(head.encode()) + body)

    def _log_request(self, status: int, reason: str = "") -> None:
        """Logs the request whose response is expected, or else the one that is arriving, if any."""
        request = self._response.request if self._response else self._request
        if self._log and request.began and not self._is_closing:
            start = self._response.start if self._response else b""
            self._log.add(request, status, start=start, reason=reason, is_local=self._is_local)

    def _finish(self, content: bytes = b"") -> None:
        """Ends the connection; `content` is the last the client gets."""
        self._close_triton()
        self._response = None
        self._incoming = self._outgoing = b""
        self._is_closing, self.waiting_since, self._received = True, self._poll.now, 0
        if content:
            self._client.send(content)
        self._end_client()

    def _end_client(self) -> None:
        if self._is_closing and not self._client.pending:
            self._client.connection.shutdown(socket.SHUT_WR)

    def _close_triton(self) -> None:
        if self._triton:
            self._triton.close()
            self._triton, self._triton_reads = None, True
