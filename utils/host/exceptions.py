"""Every exception that is not a FactoryError, as one sentence: first the faults of the place a build runs in."""

import contextlib
import errno
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from utils import ROOT
from utils.host.disk import free_bytes, gigabytes
from utils.host.errors import FactoryError

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
    errno.E2BIG: "a command line is too long: shorten the references and the environment, then build again",
    errno.EIO: "the disk or its connection fails: look at the machine's log",
}
# What libraries make of ENOSPC when they wrap it in an error of their own.
_FULL = "No space left on device"


@contextlib.contextmanager
def told_as(error_type: type[FactoryError]) -> Iterator[None]:
    """Any fault inside the block becomes an `error_type`, with the exit code of its stage."""
    try:
        yield
    except FactoryError as error:
        # A stage that tells all its exporter's faults alike would send a user with a full disk the wrong way.
        if (said := sentence(error)) and _ROOM in said and _ROOM not in str(error):
            raise type(error)(said) from error
        raise
    except BaseException as error:
        if not is_fault(error):
            raise
        raise error_type(said_of(error)) from error


@contextlib.contextmanager
def naming(references: Mapping[Path, str]) -> Iterator[None]:
    """In errors, `as_written`. `references` can still grow inside the block."""
    try:
        yield
    except FactoryError as error:
        text = as_written(str(error), references)
        if text == str(error):
            raise
        raise type(error)(text) from error


def as_written(text: str, references: Mapping[Path, str]) -> str:
    """`text` with the reference that the user wrote in place of the temporary folder or cache it was fetched to."""
    for folder, reference in references.items():
        text = text.replace(str(folder), reference)
    return text


@contextlib.contextmanager
def panics_raised() -> Iterator[None]:
    """A panic of a library in Rust becomes a RuntimeError, for code that tells all faults of a library alike."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or not is_fault(error):
            raise
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def is_fault(error: BaseException) -> bool:
    """False for a signal, an exit and the like. PyO3's PanicException cannot be imported, and is no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def said_of(error: BaseException) -> str:
    """What to tell of any fault: that of the place, else that it was not foreseen."""
    if said := sentence(error):
        return said
    reason = " ".join(str(error).split())[:300]
    said = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    if isinstance(error, ImportError):
        return f"a part of the environment is missing or broken ({said}); remove .venv and run the same command again"
    return f"unexpected {said}; run again with --debug (or TRITON_FACTORY_DEBUG=1) to see where, and report it"


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
