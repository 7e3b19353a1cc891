"""Faults of the place a build runs in (a full disk, a read-only folder, no memory), told in one sentence."""

import contextlib
import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path

from utils import ROOT
from utils.disk import free_bytes, gigabytes
from utils.errors import FactoryError

_ROOM = "make room there (./cleanup.sh removes builds), then run the same command again"
_ACCESS = "give this user access there, then run the same command again"
ADVICE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: _ACCESS,
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EMFILE: "allow more open files (ulimit -n), then run the same command again",
    errno.ENFILE: "the machine has too many open files: end what holds them, then run the same command again",
    errno.ENOMEM: "free memory, then run the same command again",
    errno.EIO: "the disk or its connection fails: look at the machine's log",
}
# What libraries make of ENOSPC when they wrap it in an error of their own.
_FULL = "No space left on device"


@contextlib.contextmanager
def told_as(error_type: type[FactoryError]) -> Iterator[None]:
    """A fault of the place inside the block becomes an `error_type`, with the exit code of its stage."""
    try:
        yield
    except FactoryError as error:
        # A stage that tells all its exporter's faults alike would send a user with a full disk the wrong way.
        if (said := sentence(error)) and _ROOM in said and _ROOM not in str(error):
            raise type(error)(said) from error
        raise
    except Exception as error:
        if said := sentence(error):
            raise error_type(said) from error
        raise


def sentence(error: BaseException) -> str:
    """What to tell of a fault of the place; empty for any other."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return f"memory ran out; {ADVICE[errno.ENOMEM]}"
        if isinstance(cause, OSError) and cause.errno in ADVICE:
            where = f"{str(cause.filename)!r}: " if cause.filename is not None else ""
            return f"{where}{cause.strerror}{_free(cause.errno)}; {ADVICE[cause.errno]}"
        if _FULL in str(cause):
            return f"{_FULL}{_free(errno.ENOSPC)}; {_ROOM}"
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return ""


def _free(number: int) -> str:
    """Writing to an open file tells no name: what is free where a build writes says which disk it is."""
    if ADVICE[number] != _ROOM:
        return ""
    folders = dict.fromkeys([ROOT, Path(tempfile.gettempdir()), Path("~").expanduser()])
    return f" (free: {', '.join(f'{gigabytes(free_bytes(folder))} at {str(folder)!r}' for folder in folders)})"
