"""Checks Triton's response as it passes: where it ends, and that its status shows whose fault an error is."""

import re
import sys

from .http_messages import HEADERS, Body, RefusedError, Sized, Unending, bad, end_of_head, fields, framing
from .request import Request
from .triton_errors import CHECK_VALUES, GRAPH_FAILED, NO_ROOM, TRY_LESS, UNREADABLE

_RESPONSE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?" + HEADERS)
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) [^\r]*")
_LENGTH = re.compile(rb"(\r\nContent-Length:[ \t]*)[0-9]+", re.IGNORECASE)
# Triton's JSON begins with the id, the model, its version and the first output's name and shape.
START_BYTES = 2048
_MAX_ERROR_BYTES = 64 * 1024
_MAX_LOG_BYTES = 2000


class Response:
    """The response to `request`; `is_done` with its last byte.

    `status`: 0 until it is known. `start`: what has arrived of the body together with the head.
    """

    def __init__(self, request: Request) -> None:
        self.is_done = False
        self.status, self.start = 0, b""
        self.request = request
        self._body: Body | None = None

    @property
    def has_begun(self) -> bool:
        """True when some of it may have been sent to the client."""
        return self._body is not None

    @property
    def is_unending(self) -> bool:
        """True if it ends with the connection."""
        return isinstance(self._body, Unending)

    def take(self, content: bytes) -> tuple[int, bytes]:
        """Returns how many of the bytes belong to this response, and what is sent to the client for them.

        The head gets the header X-Request-Id. The other bytes are unchanged except for errors that Triton reports with
        status 500 although the request is at fault, and for responses that quote invalid UTF-8. Raises RefusedError.
        """
        used, passed = 0, b""
        while not self._body:
            end = end_of_head(content[used:] if used else content)
            if not end:
                return used, passed
            head, rest = content[used : used + end], content[used + end :]
            status, body = self._begin(head)
            if status >= 200:
                self.status, self.start = status, rest[:START_BYTES]
                self.request.id.read_json(self.start)
                head = self.request.id.with_header(head)
            if status >= 400 and isinstance(body, Sized) and body.left <= _MAX_ERROR_BYTES:
                if len(rest) < body.left:
                    return used, passed
                self._body, self.is_done = body, True
                corrected, self.status = _corrected(head, rest[: body.left], status)
                return used + end + body.left, passed + corrected
            if status >= 200 and not self.request.is_utf8:
                raise bad("the request's JSON is not valid UTF-8")
            used, passed = used + end, passed + head
            self._body = body if status >= 200 else None  # an interim response (100 Continue) is followed by another
        more, _ = self._body.take(content[used:])
        self.is_done = self._body.is_done
        return used + more, passed + content[used : used + more]

    def _begin(self, head: bytes) -> tuple[int, Body]:
        found = _RESPONSE.fullmatch(head)
        if not found:
            raise RefusedError("502 Bad Gateway", "the server's response is not HTTP")
        status = int(found[1])
        if self.request.is_head or status < 200 or status in (204, 304):  # no body, whatever the headers are
            return status, Sized(0)
        return status, framing(fields(head), default=Unending())


def _corrected(head: bytes, body: bytes, status: int) -> tuple[bytes, int]:
    """An error with the status and the sentence that fit its cause, and that status."""
    text = body.decode("utf-8", "replace").encode()
    if status == 500 and UNREADABLE.match(body):
        head, status = _STATUS_LINE.sub(rb"\1 400 Bad Request", head, count=1), 400
    elif status == 500 and NO_ROOM.match(body):
        head, status = _STATUS_LINE.sub(rb"\1 503 Service Unavailable", head, count=1), 503
        text = TRY_LESS
    elif status == 500 and GRAPH_FAILED.match(body):
        print(f"guard: {text[:_MAX_LOG_BYTES].decode('utf-8', 'replace')!a}", file=sys.stderr, flush=True)
        text = CHECK_VALUES
    return (head if text == body else _LENGTH.sub(rb"\g<1>%d" % len(text), head)) + text, status
