"""The members of an inference request's JSON whose values can end Triton, found as the bytes pass."""

from __future__ import annotations

import re
from math import prod

from .http_messages import bad

_SHAPE = re.compile(rb'"shape"\s*:\s*\[([\s0-9,]*)(?=[^\s0-9,])')
_CLASSIFICATION = re.compile(rb'"classification"\s*:')
# At the end of what has come: a member whose value has not come in full.
_UNFINISHED = re.compile(rb'"(?:shape"\s*(?::\s*(?:\[[\s0-9,]*)?)?|classification"\s*)\Z')
# A letter of a name may be written as its code; no JSON library writes it so, and Triton reads it.
_CODED_LETTER = re.compile(rb"\\u00([67][0-9A-Fa-f])")
# Of the longest name, with one half-read code of a letter, so much may have come.
_NAME_BYTES = 24
_LONGEST = 4096


class Members:
    """Of one request. `most_elements`: how many elements its tensors can have, by the bytes it has.

    Triton reserves memory for as many elements as a shape says before it looks at the data, and up to 25.05 without
    any limit: a shape that overflows an int64 makes it write where no memory is, one of 2^28 takes a gigabyte.
    """

    def __init__(self, most_elements: int, *, may_classify: bool) -> None:
        self._most_elements, self._may_classify = most_elements, may_classify
        self._tail = b""

    def look(self, part: bytes) -> None:
        """The next bytes of the JSON. RefusedError for a member that Triton must not see."""
        text = self._tail + part
        self._tail = text[-_NAME_BYTES:]
        if b'"' not in text:
            return  # within one long text or number
        if b"\\u00" in text:
            text = _CODED_LETTER.sub(lambda found: bytes([int(found[1], 16)]), text)
            self._tail = text[-_NAME_BYTES:]
        if b'"shape"' in text or b'"classification"' in text:
            self._check(text)

    def _check(self, text: bytes) -> None:
        for found in _SHAPE.finditer(text):
            self._check_shape(found[1])
        if not self._may_classify and _CLASSIFICATION.search(text):
            raise bad("this release of Triton cannot answer with classes: leave out the parameter 'classification'")
        unfinished = _UNFINISHED.search(text)
        if unfinished:
            self._tail = text[unfinished.start() :]
            self._check_length(self._tail)

    def _check_length(self, dims: bytes) -> None:
        if len(dims) > _LONGEST:
            raise bad(f"a shape in the request's JSON is longer than {_LONGEST} bytes")

    def _check_shape(self, dims: bytes) -> None:
        self._check_length(dims)
        if prod(map(int, re.findall(rb"[0-9]+", dims))) > self._most_elements:
            shape = b"".join(dims.split())[:100].decode()
            raise bad(
                f"the shape [{shape}] has more elements than the request has bytes for (at most {self._most_elements})"
            )
