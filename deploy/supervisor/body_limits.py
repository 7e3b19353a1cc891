"""Limits of a request's body: its size, and the depth and members of its JSON. Counted as bytes pass, never stored."""

import codecs
import zlib
from dataclasses import dataclass

from .http_messages import RefusedError, bad
from .json_members import Members

# Far more than any tensor or parameter needs, far less than what crashes Triton's recursive JSON parser (to 26.04).
MAX_DEPTH = 1000
STEP = 50
# Members of all objects: Triton's time for parameters is quadratic in their number (24.10: 192 s for 300,000).
MAX_MEMBERS = 10_000
PIECE = 64 * 1024


@dataclass(frozen=True)
class Rules:
    """The guard's rules. `max_bytes`: the largest body, 1 to settings.LARGEST_INPUT.

    `may_classify`: outputs may be requested as classes, which crashes releases up to 25.06. `may_share`: inputs may be
    in shared memory, so a tensor can have more elements than the body has bytes.
    """

    max_bytes: int
    may_classify: bool = True
    may_share: bool = False


class Limits:
    """Checks one body. `json_bytes`: the length of its leading JSON (None: all). `is_compressed`: by gzip or deflate.

    `members` checks the JSON of an inference request. `is_utf8`: True while the received JSON is valid UTF-8.
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
        self._structure: Structure | None = None  # most bodies arrive whole, and need none
        self._members = members
        self.is_utf8 = True
        self._decoder: codecs.IncrementalDecoder | None = None
        # 47: either format, detected from its header.
        self._inflate = zlib.decompressobj(wbits=47) if is_compressed else None

    @property
    def is_empty(self) -> bool:
        """True while no byte of the decompressed body has arrived."""
        return not self._seen

    def feed(self, part: bytes, *, is_whole: bool = False) -> None:
        """Checks the next bytes. Raises RefusedError for a body over a limit, or not compressed as declared.

        `is_whole`: they are the whole body.
        """
        if not self._inflate:
            self._count(part, is_whole=is_whole)
            return
        while part:
            if self._inflate.eof:
                raise bad("the compressed body goes on after its end")
            try:
                self._count(self._inflate.decompress(part, PIECE))
            except zlib.error as error:
                raise bad("the body is not compressed as its Content-Encoding says") from error
            part = self._inflate.unconsumed_tail or self._inflate.unused_data

    def _count(self, part: bytes, *, is_whole: bool = False) -> None:
        self._seen += len(part)
        if self._seen > self._max_bytes:
            raise too_large(self._max_bytes)
        if self._json_left:
            part = part[: self._json_left]
            self._json_left -= len(part)
            if not (is_whole and _is_flat(part)):
                self._structure = self._structure or Structure()
                self._structure.feed(part)
            if self._members:
                self._members.feed(part, is_last=is_whole)
            if self.is_utf8 and not (is_whole and part.isascii()):
                self._decode(part)

    def _decode(self, part: bytes) -> None:
        self._decoder = self._decoder or codecs.getincrementaldecoder("utf-8")()
        try:
            self._decoder.decode(part)
        except UnicodeDecodeError:
            self.is_utf8 = False


def _is_flat(json: bytes) -> bool:
    """True if a whole JSON has so few brackets and colons, in strings too, that Structure would accept it."""
    return json.count(b"[") + json.count(b"{") <= MAX_DEPTH and json.count(b":") <= MAX_MEMBERS


def too_large(max_bytes: int) -> RefusedError:
    """413."""
    return RefusedError(
        "413 Payload Too Large", f"the request's body is larger than {max_bytes} bytes (TRITON_MAX_INPUT_BYTES)"
    )


class Structure:
    """Counts the nesting depth of lists and objects, and the members of all objects.

    Exact for valid JSON; a parser stops at an error anyway. A depth within STEP // 2 of MAX_DEPTH may be refused: to
    check every bracket by itself would block all clients for seconds.
    """

    def __init__(self) -> None:
        self._depth = self._members = 0
        self._in_string = False
        self._backslash = b""

    def feed(self, part: bytes) -> None:
        """Checks the next bytes; raises RefusedError above MAX_DEPTH or MAX_MEMBERS."""
        pieces = self._without_escapes(part).split(b'"')
        outside = b"".join(pieces[int(self._in_string) :: 2])
        self._in_string ^= not len(pieces) % 2
        self._members += outside.count(b":")
        if self._members > MAX_MEMBERS:
            raise bad(f"the objects of the request's JSON have more than {MAX_MEMBERS} members")
        brackets = outside.translate(None, _OTHERS)
        for at in range(0, len(brackets), MAX_DEPTH // 2):
            few = brackets[at : at + MAX_DEPTH // 2]
            if not self._advance(few) and not all(
                self._advance(few[step : step + STEP]) for step in range(0, len(few), STEP)
            ):
                raise bad(f"the request's JSON is nested more than {MAX_DEPTH} levels deep")

    def _advance(self, brackets: bytes) -> bool:
        """Counts the brackets; False, without counting, if some may be too deep."""
        opened = brackets.count(b"[") + brackets.count(b"{")
        if self._depth + opened > MAX_DEPTH:
            return False
        self._depth += 2 * opened - len(brackets)
        return True

    def _without_escapes(self, part: bytes) -> bytes:
        """Removes escaped backslashes and quotes; keeps a trailing backslash for the next part."""
        if not self._backslash and b"\\" not in part:
            return part
        part = (self._backslash + part).replace(b"\\\\", b"")
        self._backslash = b"\\" if part.endswith(b"\\") else b""
        return part[: len(part) - len(self._backslash)].replace(b'\\"', b"")


_OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{}")
