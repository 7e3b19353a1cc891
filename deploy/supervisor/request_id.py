"""The id of a request: V2's member `id`, else the header X-Request-Id, else a random one."""

import contextlib
import json
import os
import re

_HEADER = re.compile(rb"\r\nX-Request-Id:[ \t]*([\x21-\x7e]{1,128})[ \t]*\r\n", re.IGNORECASE)
# The first member of a request's JSON, where client libraries write it, and of Triton's response.
_MEMBER = re.compile(rb'\s*\{\s*"id"\s*:\s*("(?:[^"\\\x00-\x1f]|\\.){1,128}")')
_PLAIN = re.compile(r"[\x21-\x7e]{1,128}")
_RANDOM_BYTES = 16


class RequestId:
    """The id of one request.

    `own`: V2's id, which its sender expects in the response's JSON, or "". `header`: the value of X-Request-Id in the
    response. It is the client's header if that has 1 to 128 visible characters of ASCII, else `own` if it has.
    """

    def __init__(self) -> None:
        self.own = ""
        self._header = b""

    def read_head(self, head: bytes) -> None:
        """Reads the client's header."""
        found = _HEADER.search(head)
        if found:
            self._header = found[1]

    def read_json(self, start: bytes) -> None:
        """Reads the member, if the JSON begins with it."""
        found = None if self.own else _MEMBER.match(start)
        if found:
            with contextlib.suppress(ValueError):  # not UTF-8, or an invalid escape: Triton answers with an error
                self.own = str(json.loads(found[1]))

    @property
    def header(self) -> bytes:
        """The value of the response's header."""
        if not self._header:
            plain = _PLAIN.fullmatch(self.own)
            self._header = self.own.encode() if plain else os.urandom(_RANDOM_BYTES).hex().encode()
        return self._header

    def with_header(self, head: bytes) -> bytes:
        """A response's head with the header."""
        return b"%sX-Request-Id: %s\r\n\r\n" % (head[:-2], self.header)
