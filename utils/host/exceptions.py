"""Turns any exception that is not a FactoryError into one sentence; faults of the machine have advice."""

import contextlib
import errno
import tempfile
from collections.abc import Callable, Iterator, Mapping
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
    errno.ENFILE: "the machine has too many open files: close some, then run the same command again",
    errno.ENOMEM: "free memory, then run the same command again",
    errno.E2BIG: "a command line is too long: shorten the references and the environment, then build again",
    errno.EIO: "the disk or its connection fails: check the system log",
}
# The text of ENOSPC in errors of libraries that wrap it.
_FULL = "No space left on device"


@contextlib.contextmanager
def raised_as(error_type: type[FactoryError]) -> Iterator[None]:
    """Raises any fault inside the block as an `error_type`, with the exit code of its stage."""
    try:
        yield
    except FactoryError as error:
        # A stage may report a full disk as a fault of the exporter.
        if (reason := machine_fault(error)) and _ROOM in reason and _ROOM not in str(error):
            raise type(error)(reason) from error
        raise
    except BaseException as error:
        if not is_fault(error):
            raise
        raise error_type(message_of(error)) from error


@contextlib.contextmanager
def showing_references(references: Mapping[Path, str]) -> Iterator[None]:
    """Applies `as_written` to errors inside the block; `references` can still grow there."""
    try:
        yield
    except FactoryError as error:
        text = as_written(str(error), references)
        if text == str(error):
            raise
        raise type(error)(text) from error


def as_written(text: str, references: Mapping[Path, str]) -> str:
    """`text` with each folder of a fetched reference replaced by the reference as the user wrote it."""
    for folder, reference in references.items():
        text = text.replace(str(folder), reference)
    return text


@contextlib.contextmanager
def panics_raised() -> Iterator[None]:
    """Raises a panic of a Rust library as a RuntimeError, so that `except Exception` catches it."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or not is_fault(error):
            raise
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def explained(error_type: type[FactoryError], sentence: Callable[[str], str], *, named: bool = False) -> Iterator[None]:
    """Raises whatever a library raises inside the block as an `error_type`: the `sentence` for its `brief` text.

    Libraries raise any type, and a Rust library's panic is no Exception. A FactoryError stays as it is.
    """
    try:
        with panics_raised():
            yield
    except FactoryError:
        raise
    except Exception as error:
        raise error_type(sentence(brief(error, named=named))) from error


def brief(error: BaseException, *, named: bool = False) -> str:
    """The text of a library's error in one line, at most 300 characters, behind its class if `named`."""
    text = f"{type(error).__name__}: {error}" if named else str(error) or type(error).__name__
    return " ".join(text.split())[:300]


def is_fault(error: BaseException) -> bool:
    """False for a signal or an exit. PyO3's PanicException cannot be imported and is no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def message_of(error: BaseException) -> str:
    """The message for any fault: `machine_fault`, else that it was unexpected."""
    if reason := machine_fault(error):
        return reason
    text = " ".join(str(error).split())[:300]
    shown = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, ImportError):
        return f"a part of the environment is missing or broken ({shown}); remove .venv and run the same command again"
    return f"unexpected {shown}; run again with --debug (or TRITON_FACTORY_DEBUG=1) for the traceback, and report it"


def machine_fault(error: BaseException) -> str:
    """The sentence for a fault of the machine (disk, memory, permissions); empty for any other."""
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
    """Free space where a build writes: an error of writing to an open file names no file."""
    if ADVICE[number] != _ROOM:
        return ""
    folders = dict.fromkeys([ROOT, Path(tempfile.gettempdir()), Path("~").expanduser()])
    return f" (free: {', '.join(f'{gigabytes(free_bytes(folder))} at {str(folder)!r}' for folder in folders)})"
