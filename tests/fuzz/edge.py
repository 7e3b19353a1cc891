"""Checks every refusal through utils/host/entry.py."""

import contextlib
import io
import os
import re
import signal
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host import entry

# Longest time for a mutated file of some kilobytes; a hang, not a slow machine, takes so long.
HANG_SECONDS = 20
# The longest message, whatever value it quotes.
LONGEST_LINE = 8100


@dataclass(frozen=True)
class Outcome:
    code: int
    error: str
    result: Any


def outcome(command: Callable[[], object], *, codes: Container[int]) -> Outcome:
    """Runs `command` through utils/host/entry.py: code 0, or one of `codes` with one line on stderr and no stdout."""
    results: list[object] = []
    os.environ.pop("TRITON_FACTORY_DEBUG", None)  # an earlier example may have set it
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _no_hang():
        code = entry.exit_code(lambda: results.append(command()))
    expected = err.getvalue()
    assert "Traceback" not in expected and "panicked" not in expected, expected
    assert out.getvalue() == ""
    lines = expected.split("\n")
    errors = [line for line in lines if line.startswith("error: ")]
    if code == 0:
        assert errors == []
        return Outcome(0, "", results[0])
    assert code in codes, expected
    assert len(errors) == 1 and expected.endswith(f"{errors[0]}\n"), expected
    assert len(errors[0]) <= LONGEST_LINE, f"{len(errors[0])} characters"
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", errors[0]), errors[0]
    return Outcome(code, errors[0], None)


@contextlib.contextmanager
def _no_hang() -> Iterator[None]:
    def fail(*_: object) -> None:
        raise AssertionError(f"no answer within {HANG_SECONDS} s")

    kept = signal.signal(signal.SIGALRM, fail)
    signal.alarm(HANG_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, kept)


def tree(folder: Path) -> list[str]:
    """Every path below a folder, links not followed."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
