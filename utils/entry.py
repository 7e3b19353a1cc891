"""The edge every command shares: the stdout rule, signals, and errors turned into a line and an exit code."""

import argparse
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

from utils.errors import FactoryError, Terminated, UsageError

INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are UsageErrors, one sentence and exit code 2 like all others."""

    def error(self, message: str) -> NoReturn:
        """Called by argparse for anything wrong on the command line."""
        raise UsageError(f"{message}; see {self.prog} --help")


def run(command: Callable[[], str]) -> NoReturn:
    """Runs `command` and exits; what it returns (if not empty) is all that reaches stdout.

    Libraries print where they like; for the time of the command file descriptor 1 is a second stderr,
    so that stdout carries the result and nothing else.
    """
    signal.signal(signal.SIGTERM, _terminate)
    code = 0
    result = ""
    try:
        with _stdout_kept_clean():
            result = command()
    except FactoryError as error:
        explain(error)
        code = error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    except Terminated as error:
        print("terminated", file=sys.stderr)
        code = error.exit_code
    if result:
        print(result)
    sys.stdout.flush()
    sys.exit(code)


def _terminate(_signal: int, _frame: object) -> NoReturn:
    raise Terminated


def explain(error: FactoryError) -> None:
    """The error on stderr as one line, below its traceback if `--debug` asked for it."""
    if debugging():
        traceback.print_exception(error, file=sys.stderr)
    print(f"error: {error}", file=sys.stderr)


def debugging() -> bool:
    """True when `--debug` (or TRITON_FACTORY_DEBUG=1) asks for tracebacks."""
    return os.environ.get("TRITON_FACTORY_DEBUG") == "1"


@contextlib.contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
