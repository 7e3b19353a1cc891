"""Progress on stderr: one line a stage, with its seconds."""

import contextlib
import sys
import time
from collections.abc import Iterator


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """Prints `name ...` on a terminal while the stage runs and `name  1.2 s` when it is done."""
    interactive = sys.stderr.isatty()
    if interactive:
        print(f"\r{name} ...", end="", file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"{_clear(interactive)}{name}  failed after {time.monotonic() - started:.1f} s", file=sys.stderr)
        raise
    print(f"{_clear(interactive)}{name}  {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """One indented line below the running stage: a figure measured, a choice made."""
    print(f"{_clear(sys.stderr.isatty())}  {text}", file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """One line a user should not miss."""
    print(f"{_clear(sys.stderr.isatty())}warning: {text}", file=sys.stderr, flush=True)


def _clear(interactive: bool) -> str:
    return "\r\x1b[K" if interactive else ""
