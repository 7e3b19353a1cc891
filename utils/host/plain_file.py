"""Reads files of users: a pipe without a writer or an endless device is refused."""

import errno
from pathlib import Path
from typing import BinaryIO


def open_plain(path: Path) -> BinaryIO:
    """`path`, open for reading. OSError also for a device or a pipe, where opening or reading may never end."""
    if path.exists() and not path.is_file() and not path.is_dir():  # opening a folder raises an OSError anyway
        raise OSError(errno.EINVAL, "a device or a pipe, not a file", str(path))
    return path.open("rb")


def read_plain(path: Path) -> bytes:
    """The bytes of `path`; OSError as in open_plain."""
    with open_plain(path) as stream:
        return stream.read()
