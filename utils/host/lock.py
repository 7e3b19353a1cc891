"""File locks between processes; the kernel releases one when its process ends. Standard library only."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def exclusive(file: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds the lock on `file`, which is created if needed. Without `wait`, BlockingIOError when another holds it."""
    with file.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def is_held(file: Path) -> bool:
    """True while a process holds `exclusive(file)`; False for a file that cannot be opened."""
    try:
        with file.open() as stream:
            # A shared lock: two concurrent checks must not report each other.
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
