"""Progress on stderr: one line per stage, with its seconds."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator

from utils.host import exceptions, signals
from utils.host.entry import debugging
from utils.host.errors import FactoryError

# What this process has warned of.
WARNINGS: list[str] = []


@contextlib.contextmanager
def stage(name: str, fails_as: type[FactoryError] = FactoryError) -> Iterator[None]:
    """Prints `name ...` on a terminal while the stage runs and `name  1.2 s` when it is done.

    Any fault that is not a FactoryError is raised as a `fails_as`, with its exit code.
    """
    interactive = sys.stderr.isatty()
    if interactive:
        line(f"\r{name} ...", end="")
    started = time.monotonic()
    try:
        with exceptions.raised_as(fails_as):
            yield
        signals.check()
    except BaseException:
        line(f"{_clear(interactive)}{name}  failed after {time.monotonic() - started:.1f} s")
        raise
    line(f"{_clear(interactive)}{name}  {time.monotonic() - started:.1f} s")


def note(text: str) -> None:
    """Prints one indented line below the running stage: a measured value, a choice."""
    line(f"{_clear(sys.stderr.isatty())}  {text}")


def warn(text: str) -> None:
    """Prints a warning, and keeps it for the report. Names in a model's files may have what UTF-8 cannot encode."""
    WARNINGS.append(text.encode("utf-8", "backslashreplace").decode())
    line(f"{_clear(sys.stderr.isatty())}warning: {text}")


@contextlib.contextmanager
def without_log(level: int = logging.WARNING) -> Iterator[None]:
    """Silences what libraries log up to `level` inside the block, whichever logger they use, unless --debug is set."""
    former = logging.root.manager.disable
    logging.disable(former if debugging() else level)
    try:
        yield
    finally:
        logging.disable(former)


def line(text: str, end: str = "\n") -> None:
    """Prints one line, whole, whichever thread calls it."""
    with contextlib.suppress(OSError):  # a full disk or a closed terminal is no reason to fail
        sys.stderr.write(f"{text}{end}")
        sys.stderr.flush()


def _clear(interactive: bool) -> str:
    return "\r\x1b[K" if interactive else ""
