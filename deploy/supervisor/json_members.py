"""Finds members of an inference request's JSON whose values can crash Triton, as the bytes pass."""

import re
from math import prod

from .http_messages import bad

_SHAPE = re.compile(rb'"shape"\s*:\s*\[([\s0-9,]*)(?=[^\s0-9,])')
_CLASSIFICATION = re.compile(rb'"classification"\s*:')
# At the end of the received bytes: a member whose value is incomplete.
_UNFINISHED = re.compile(rb'"(?:shape"\s*(?::\s*(?:\[[\s0-9,]*)?)?|classification"\s*)\Z')
# A letter of a name may be escaped. No JSON library writes that, but Triton reads it.
_CODED_LETTER = re.compile(rb"\\u00([67][0-9A-Fa-f])")
# The length of the longest name with an incomplete escaped letter.
_NAME_BYTES = 24
_MAX_SHAPE_BYTES = 4096
_NUMBER = re.compile(rb"[0-9]+")


class Members:
    """Checks one request. `max_elements`: how many elements a tensor of a request of this size can have.

    Triton allocates memory for the elements of a shape before it reads the data, up to 25.05 without a limit: a shape
    that overflows an int64 makes it write to unallocated memory, one of 2^28 takes a gigabyte.
    """

    def __init__(self, max_elements: int, *, may_classify: bool) -> None:
        self._max_elements, self._may_classify = max_elements, may_classify
        self._tail = b""

    def feed(self, part: bytes, *, is_last: bool = False) -> None:
        """Checks the next bytes of the JSON. Raises RefusedError for a member that would crash Triton.

        `is_last`: no bytes follow, so a short member that is unfinished needs no check.
        """
        text = self._tail + part if self._tail else part
        self._tail = text[-_NAME_BYTES:]
        if b'"' not in text:
            return  # inside one long text or number
        if b"\\u00" in text:
            text = _CODED_LETTER.sub(lambda found: bytes([int(found[1], 16)]), text)
            self._tail = text[-_NAME_BYTES:]
        if b'"shape"' in text or b'"classification"' in text:
            self._check(text, is_last=is_last)

    def _check(self, text: bytes, *, is_last: bool) -> None:
        for found in _SHAPE.finditer(text):
            self._check_shape(found[1])
        if not self._may_classify and _CLASSIFICATION.search(text):
            raise bad("this release of Triton cannot return classes: leave out the parameter 'classification'")
        unfinished = None if is_last and len(text) <= _MAX_SHAPE_BYTES else _UNFINISHED.search(text)
        if unfinished:
            self._tail = text[unfinished.start() :]
            self._check_length(self._tail)

    def _check_length(self, dims: bytes) -> None:
        if len(dims) > _MAX_SHAPE_BYTES:
            raise bad(f"a shape in the request's JSON is longer than {_MAX_SHAPE_BYTES} bytes")

    def _check_shape(self, dims: bytes) -> None:
        self._check_length(dims)
        if prod(map(int, _NUMBER.findall(dims))) > self._max_elements:
            shape = b"".join(dims.split())[:100].decode()
            raise bad(
                f"the shape [{shape}] has more elements than the request has bytes for (at most {self._max_elements})"
            )
