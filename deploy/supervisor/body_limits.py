"""What a request's body may be: its size, the depth and the members of its JSON. Counted as it passes, never kept."""

from __future__ import annotations

import codecs
import zlib
from dataclasses import dataclass

from .http_messages import RefusedError, bad
from .json_members import Members

# Far more than any tensor or parameter has, far less than what ends Triton's JSON parser on the smallest stack.
DEEPEST = 1000
STEP = 50
# Likewise of members of objects, in all: Triton looks each parameter up among all of them (24.10: 192 s for 300,000).
MOST_MEMBERS = 10_000
PIECE = 64 * 1024


@dataclass(frozen=True)
class Rules:
    """What requests may be before one server. `max_bytes`: the largest body, 1 to settings.LARGEST_INPUT.

    `may_classify`: an output may be asked for as classes, which ends some releases. `may_share`: an input may lie in
    shared memory, so that a tensor can have more elements than the body has bytes.
    """

    max_bytes: int
    may_classify: bool = True
    may_share: bool = False


class Limits:
    """Of one body. `json_bytes`: how much of its beginning is JSON (None: all); `is_compressed`: by gzip or deflate.

    `members` looks at the JSON of an inference request. `is_utf8`: its JSON, as far as it came.
    """

    def __init__(
        self,
        max_bytes: int,
        json_bytes: int | None = None,
        *,
        is_compressed: bool = False,
        members: Members | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._seen = 0
        self._json_left = max_bytes + 1 if json_bytes is None else json_bytes
        self._structure, self._members = Structure(), members
        self.is_utf8 = True
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._inflate = zlib.decompressobj(wbits=47) if is_compressed else None  # 47: either format, told by its head

    @property
    def is_empty(self) -> bool:
        """True while no byte of the body, as it is before compression, has come."""
        return not self._seen

    def look(self, part: bytes) -> None:
        """The next bytes. RefusedError for what is too large, too deep, too much, or not compressed as it says."""
        if not self._inflate:
            self._count(part)
            return
        while part:
            if self._inflate.eof:
                raise bad("the compressed body goes on after its end")
            try:
                self._count(self._inflate.decompress(part, PIECE))
            except zlib.error as error:
                raise bad("the body is not compressed as its Content-Encoding says") from error
            part = self._inflate.unconsumed_tail or self._inflate.unused_data

    def _count(self, part: bytes) -> None:
        self._seen += len(part)
        if self._seen > self._max_bytes:
            raise too_large(self._max_bytes)
        if self._json_left:
            part = part[: self._json_left]
            self._json_left -= len(part)
            self._structure.look(part)
            if self._members:
                self._members.look(part)
            try:
                self._decode(part if self.is_utf8 else b"")
            except UnicodeDecodeError:
                self.is_utf8 = False


def too_large(max_bytes: int) -> RefusedError:
    """413."""
    return RefusedError(
        "413 Payload Too Large", f"the request's body is larger than {max_bytes} bytes (TRITON_MAX_INPUT_BYTES)"
    )


class Structure:
    """How deep lists and objects lie in each other, and how many members objects have in all.

    True for JSON; after an error in it no parser reads on anyway. What is within STEP // 2 of DEEPEST may count as
    deeper: to look at each bracket by itself would take seconds of all clients' time.
    """

    def __init__(self) -> None:
        self._depth = self._members = 0
        self._in_string = False
        self._backslash = b""

    def look(self, part: bytes) -> None:
        """The next bytes; RefusedError for more than DEEPEST or MOST_MEMBERS."""
        pieces = self._without_escapes(part).split(b'"')
        outside = b"".join(pieces[int(self._in_string) :: 2])
        self._in_string ^= not len(pieces) % 2
        self._members += outside.count(b":")
        if self._members > MOST_MEMBERS:
            raise bad(f"the objects of the request's JSON have more than {MOST_MEMBERS} members")
        brackets = outside.translate(None, _OTHERS)
        for at in range(0, len(brackets), DEEPEST // 2):
            few = brackets[at : at + DEEPEST // 2]
            if not self._went(few) and not all(
                self._went(few[step : step + STEP]) for step in range(0, len(few), STEP)
            ):
                raise bad(f"the request's JSON is nested more than {DEEPEST} levels deep")

    def _went(self, brackets: bytes) -> bool:
        """Past them all, unless some may lie too deep."""
        opened = brackets.count(b"[") + brackets.count(b"{")
        if self._depth + opened > DEEPEST:
            return False
        self._depth += 2 * opened - len(brackets)
        return True

    def _without_escapes(self, part: bytes) -> bytes:
        """Without escaped backslashes and quotes; a backslash at the end waits for what it escapes."""
        if not self._backslash and b"\\" not in part:
            return part
        part = (self._backslash + part).replace(b"\\\\", b"")
        self._backslash = b"\\" if part.endswith(b"\\") else b""
        return part[: len(part) - len(self._backslash)].replace(b'\\"', b"")


_OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{}")
