"""A client's request as it passes: where it ends, and that its body is no larger or deeper than it may be."""

from __future__ import annotations

import re

from .body_limits import Limits, too_large
from .http_messages import HEADERS, Body, RefusedError, Sized, bad, end_of_head, fields, framing

# Methods and targets that Triton's own parser knows: any other ends the connection there.
_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) (/[\x21-\x7e]*) HTTP/1\.[01]" + HEADERS)
_INFER = re.compile(rb"[^?]*/infer(?:\?.*)?")
_NUMBER = re.compile(rb"[0-9]{1,18}")
# Triton answers any other, in capitals too, with 501.
_CODINGS = (b"gzip", b"deflate", b"identity")
# A compressed byte may become a thousand, which are looked at while all other clients wait.
_UNKNOWN, _COMPRESSED, _PLAIN = 8 * 1024, 1024, 64 * 1024
_UNKNOWN_CODING = "Content-Encoding must be gzip, deflate or identity, in small letters"


class Request:
    """One of a connection's; `is_done` with its last byte, `has_begun` when its headers were complete."""

    def __init__(self, max_bytes: int) -> None:
        self.is_done = self.has_begun = self.is_head = self._is_compressed = False
        self._max_bytes = max_bytes
        self._body: Body = Sized(0)
        self._limits = Limits(max_bytes)

    @property
    def appetite(self) -> int:
        """How many bytes to read of the client next, at most."""
        if not self.has_begun:
            return _UNKNOWN
        return _COMPRESSED if self._is_compressed else _PLAIN

    @property
    def is_utf8(self) -> bool:
        """The JSON of its body, as far as it came: what is not is no JSON (RFC 8259, 8.1)."""
        return self._limits.is_utf8

    def take(self, content: bytes) -> int:
        """How many of the bytes are this request's and may go on to Triton. Raises RefusedError."""
        used = 0
        if not self.has_begun:
            used = end_of_head(content)
            if not used:
                return 0
            self._begin(content[:used])
        more, carried = self._body.take(content[used:])
        self._limits.look(carried)
        self.is_done = self._body.is_done
        return used + more

    def _begin(self, head: bytes) -> None:
        found = _REQUEST.fullmatch(head)
        if not found:
            raise bad("this is no request of HTTP/1.1")
        method, target = found.groups()
        named = fields(head)
        self._body = framing(named, otherwise=Sized(0))
        if isinstance(self._body, Sized) and self._body.left > self._max_bytes:
            raise too_large(self._max_bytes)
        json_bytes = named.get(b"inference-header-content-length", b"")
        is_binary = _INFER.fullmatch(target) and _NUMBER.fullmatch(json_bytes)  # else all of it is JSON to Triton
        coding = named.get(b"content-encoding", b"identity")
        if coding not in _CODINGS:
            raise RefusedError("415 Unsupported Media Type", _UNKNOWN_CODING)
        self._is_compressed = coding != b"identity"
        self._limits = Limits(
            self._max_bytes, int(json_bytes) if is_binary else None, is_compressed=self._is_compressed
        )
        self.has_begun, self.is_head = True, method == b"HEAD"
