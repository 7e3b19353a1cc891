"""Reads files that others gave: in their place may lie a pipe nobody writes to, or a device without an end."""

import errno
from pathlib import Path
from typing import BinaryIO


def open_plain(path: Path) -> BinaryIO:
    """`path`, open for reading. OSError also for what is no file: opening or reading that may never come to an end."""
    if path.exists() and not path.is_file() and not path.is_dir():  # opening a folder fails by itself
        raise OSError(errno.EINVAL, "a device or a pipe, not a file", str(path))
    return path.open("rb")


def read_plain(path: Path) -> bytes:
    """The bytes of `path`; OSError as of open_plain."""
    with open_plain(path) as stream:
        return stream.read()
