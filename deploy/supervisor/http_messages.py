"""Finds where HTTP/1.1 messages begin and end (RFC 9112) as their bytes arrive.

Stricter than Triton's own parser: anything that two parsers could read differently is refused.
"""

import re
from typing import Protocol

HEAD_BYTES = 32 * 1024
# Triton closes the connection at a name, a value or a target of 8192 bytes (run on 24.10).
HEAD_LINE_BYTES = 8191
# A chunk begins with its size, without extensions. An empty line follows the last chunk.
LINE_BYTES = 17
# Triton allocates memory for each chunk; from 26.05 on it accepts at most this many per request.
MAX_CHUNKS = 65_536
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
HEADERS = rb"\r\n(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
_NAMES = rb"Content-Length|Transfer-Encoding|Content-Encoding|Inference-Header-Content-Length"
_FIELD = re.compile(rb"\r\n(" + _NAMES + rb"):[ \t]*([^\r]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_TOO_LARGE = "431 Request Header Fields Too Large"
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")


class RefusedError(Exception):
    """A message that is not passed on, with the status and the sentence that its sender gets."""

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def check_lines(head: bytes) -> None:
    """Raises RefusedError (431) for a line that is too long."""
    if len(head) > HEAD_LINE_BYTES and max(map(len, head.split(b"\r\n"))) > HEAD_LINE_BYTES:
        raise RefusedError(_TOO_LARGE, f"a line of the request's headers is longer than {HEAD_LINE_BYTES} bytes")


def bad(sentence: str) -> RefusedError:
    """A refusal with status 400."""
    return RefusedError("400 Bad Request", sentence)


def end_of_head(content: bytes) -> int:
    """The length in bytes of the head at the start of `content`; 0 while it is incomplete."""
    end = content.find(b"\r\n\r\n") + 4
    if end > HEAD_BYTES or (end < 4 and len(content) > HEAD_BYTES):
        raise RefusedError(_TOO_LARGE, f"the request's headers are longer than {HEAD_BYTES} bytes")
    return end if end >= 4 else 0


def fields(head: bytes) -> dict[bytes, bytes]:
    """{name in lower case: value} of the headers that describe the body. Raises RefusedError for a duplicate."""
    found = _FIELD.findall(head)
    named = {name.lower(): value for name, value in found}
    if len(named) < len(found):
        raise bad("a header that describes the body is duplicated")
    return named


class Body(Protocol):
    """The body of a message, as its bytes arrive."""

    is_done: bool

    def take(self, content: bytes) -> tuple[int, bytes]:
        """Returns how many of the bytes belong to the body, and their content."""


def framing(named: dict[bytes, bytes], *, default: Body, max_chunks: int | None = None) -> Body:
    """The body that `fields` describe, or `default`. `max_chunks` None: no limit."""
    coding, length = named.get(b"transfer-encoding"), named.get(b"content-length")
    if coding is not None:
        if coding.lower() != b"chunked" or length is not None:
            raise bad("Transfer-Encoding must be chunked, without a Content-Length")
        return Chunked(max_chunks)
    if length is None:
        return default
    if not _LENGTH.fullmatch(length):
        raise bad("Content-Length must be a number")
    return Sized(int(length))


class Sized:
    """A body of `length` bytes."""

    def __init__(self, length: int) -> None:
        self.left = length
        self.is_done = not length

    def take(self, content: bytes) -> tuple[int, bytes]:
        """As Body.take."""
        part = content if len(content) <= self.left else content[: self.left]
        self.left -= len(part)
        self.is_done = not self.left
        return len(part), part


class Unending:
    """A body that ends with the connection."""

    def __init__(self) -> None:
        self.is_done = False

    def take(self, content: bytes) -> tuple[int, bytes]:
        """As Body.take."""
        return len(content), content


class Chunked:
    """Chunks, each after a line with its size in hexadecimal digits; a chunk of size 0 is the last.

    A line is consumed only when it is complete and valid.
    """

    def __init__(self, maximum: int | None = None) -> None:
        self.is_done = False
        self._left = self._count = 0
        self._max = maximum
        self._next = self._size

    def take(self, content: bytes) -> tuple[int, bytes]:
        """As Body.take."""
        at, parts = 0, []
        while at < len(content) and not self.is_done:
            if self._left:
                parts.append(content[at : at + self._left])
                self._left -= len(parts[-1])
                at += len(parts[-1])
                continue
            end = content.find(b"\n", at, at + LINE_BYTES) + 1
            if not end:
                if len(content) - at >= LINE_BYTES:
                    raise bad("a chunk of the body begins with a line that is too long")
                break
            self._next(content[at:end])
            at = end
        return at, b"".join(parts)

    def _size(self, line: bytes) -> None:
        found = _CHUNK.fullmatch(line)
        if not found:
            raise bad("a chunk of the body does not begin with its size")
        self._left = int(found[1], 16)
        self._count += 1
        if self._max is not None and self._left and self._count > self._max:
            raise bad(f"the body has more than {self._max} chunks; send fewer, larger chunks")
        self._next = self._end if self._left else self._last

    def _end(self, line: bytes) -> None:
        if line != b"\r\n":
            raise bad("a chunk of the body is longer than its size")
        self._next = self._size

    def _last(self, line: bytes) -> None:
        if line != b"\r\n":
            raise bad("headers after the body are not supported")
        self.is_done = True
