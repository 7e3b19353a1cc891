"""File descriptors 1 and 2: a result or an answer is separated from what libraries print. Standard library only."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO


def take_stdout() -> BinaryIO:
    """The standard output as a stream of its own; file descriptor 1 is stderr from here on."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


@contextlib.contextmanager
def redirected(numbers: Sequence[int], target: int) -> Iterator[list[int]]:
    """File descriptors `numbers` (1, 2 or both) are `target` inside the block; yields copies of the original ones."""
    _flush()
    copies = [os.dup(number) for number in numbers]
    for number in numbers:
        os.dup2(target, number)
    try:
        yield copies
    finally:
        _flush()
        for number, copy in zip(numbers, copies, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # a closed or full output is no reason to fail
            stream.flush()
    ctypes.CDLL(None).fflush(None)  # C libraries have buffers of their own
