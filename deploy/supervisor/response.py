"""Triton's answer as it passes: where it ends, and that its status tells whose fault an error is."""

from __future__ import annotations

import re
import sys

from .http_messages import HEADERS, Body, RefusedError, Sized, Unending, bad, end_of_head, fields, framing
from .request import Request
from .triton_errors import CHECK_VALUES, GRAPH_FAILED, NO_ROOM, TRY_LESS, UNREADABLE

_RESPONSE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?" + HEADERS)
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) [^\r]*")
_LENGTH = re.compile(rb"(\r\nContent-Length:[ \t]*)[0-9]+", re.IGNORECASE)
_LONGEST_ERROR = 64 * 1024
_LONGEST_LINE = 2000  # of the log


class Response:
    """To `request`; `is_done` with its last byte."""

    def __init__(self, request: Request) -> None:
        self.is_done = False
        self._request = request
        self._body: Body | None = None

    @property
    def has_begun(self) -> bool:
        """Some of it may have gone on to the client."""
        return self._body is not None

    @property
    def is_unending(self) -> bool:
        """Its end is that of the connection."""
        return isinstance(self._body, Unending)

    def take(self, content: bytes) -> tuple[int, bytes]:
        """How many of the bytes are this answer's and may go on to the client, and what goes on for them.

        These are the same bytes, but for an error of which Triton says 500 for want of a better, and for an answer to
        what is no UTF-8, which quotes it. Raises RefusedError.
        """
        used, passed = 0, b""
        while not self._body:
            end = end_of_head(content[used:] if used else content)
            if not end:
                return used, passed
            head, rest = content[used : used + end], content[used + end :]
            status, body = self._begin(head)
            if status >= 400 and isinstance(body, Sized) and body.left <= _LONGEST_ERROR:
                if len(rest) < body.left:
                    return used, passed
                self._body, self.is_done = body, True
                return used + end + body.left, passed + _corrected(head, rest[: body.left], status)
            if status >= 200 and not self._request.is_utf8:
                raise bad("the request's JSON is not valid UTF-8")
            used, passed = used + end, passed + head
            self._body = body if status >= 200 else None  # after an interim answer (100 Continue) another follows
        more, _ = self._body.take(content[used:])
        self.is_done = self._body.is_done
        return used + more, passed + content[used : used + more]

    def _begin(self, head: bytes) -> tuple[int, Body]:
        found = _RESPONSE.fullmatch(head)
        if not found:
            raise RefusedError("502 Bad Gateway", "the server's answer is not HTTP")
        status = int(found[1])
        if self._request.is_head or status < 200 or status in (204, 304):  # no body, whatever the headers say
            return status, Sized(0)
        return status, framing(fields(head), otherwise=Unending())


def _corrected(head: bytes, body: bytes, status: int) -> bytes:
    """An error with the status, and the sentence, that its reason asks for."""
    said = body.decode("utf-8", "replace").encode()
    if status == 500 and UNREADABLE.match(body):
        head = _STATUS_LINE.sub(rb"\1 400 Bad Request", head, count=1)
    elif status == 500 and NO_ROOM.match(body):
        head, said = _STATUS_LINE.sub(rb"\1 503 Service Unavailable", head, count=1), TRY_LESS
    elif status == 500 and GRAPH_FAILED.match(body):
        print(f"guard: {said[:_LONGEST_LINE].decode('utf-8', 'replace')!a}", file=sys.stderr, flush=True)
        said = CHECK_VALUES
    return (head if said == body else _LENGTH.sub(rb"\g<1>%d" % len(said), head)) + said
