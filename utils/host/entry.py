"""The edge every command shares: the stdout rule, signals, and errors turned into a line and an exit code."""

import argparse
import atexit
import contextlib
import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NoReturn

from utils.host import exceptions, loopback, signals, streams
from utils.host.errors import BootProofError, FactoryError, Terminated, UsageError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

INTERRUPTED = 130
LONGEST_MESSAGE = 8000
# The real stdout, while `run` keeps it clean.
_stdouts: list[int] = []


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are UsageErrors, one sentence and exit code 2 like all others."""

    def error(self, message: str) -> NoReturn:
        """Called by argparse for anything wrong on the command line."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def print_help(self, file: "SupportsWrite[str] | None" = None) -> None:
        """Called by argparse for --help: an output that is not a result and yet belongs on stdout."""
        if file is None:
            write_stdout(self.format_help())
        else:
            super().print_help(file)


def write_stdout(text: str) -> None:
    """Writes to the real stdout, also while `run` keeps it clean."""
    if _stdouts:
        os.write(_stdouts[-1], text.encode())
    else:
        sys.stdout.write(text)


def run(command: Callable[[], str]) -> NoReturn:
    """Runs `command` and exits; what it returns (if not empty) is all that reaches stdout.

    Libraries print where they like; for the time of the command file descriptor 1 is a second stderr,
    so that stdout carries the result and nothing else.
    """
    result = ""

    def keep_stdout_clean() -> None:
        nonlocal result
        with _stdout_kept_clean():
            result = command()

    code = exit_code(keep_stdout_clean) or exit_code(lambda: _print(result))
    atexit.register(gc.freeze)  # what ends is not searched for garbage: with torch in memory that takes a second
    sys.exit(code)


def exit_code(command: Callable[[], object]) -> int:
    """Runs `command`, tells what went wrong in one sentence on stderr, and returns the exit code."""
    signals.listen()
    loopback.keep_from_proxies()
    try:
        command()
    except FactoryError as error:
        explain(error)
        return error.exit_code
    except KeyboardInterrupt:
        _tell("interrupted")
        return INTERRUPTED
    except Terminated as error:
        _tell("terminated")
        return error.exit_code
    except BaseException as error:
        if not exceptions.is_fault(error):
            raise
        fault = FactoryError(exceptions.said_of(error))
        explain(fault, cause=error)
        return fault.exit_code
    return 0


def _print(result: str) -> None:
    if not result:
        return
    try:
        print(result, flush=True)
    except OSError:
        # Python would try once more at its end, and complain in its own words.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def explain(error: FactoryError, cause: BaseException | None = None) -> None:
    """The error on stderr as one line, below its traceback (or its `cause`'s) if `--debug` asked for it."""
    with contextlib.suppress(OSError):
        if debugging():
            traceback.print_exception(cause or error, file=sys.stderr)
        print(f"error: {_showable(error)}", file=sys.stderr)


def _showable(error: FactoryError) -> str:
    """What a message quotes may be a stranger's: no further lines, no commands to the terminal, no megabytes."""
    text = str(error)
    if len(text) > LONGEST_MESSAGE:
        half = LONGEST_MESSAGE // 2
        text = f"{text[:half]} ... {text[-half:]}"  # what to do stands at the end
    kept = "\n" if isinstance(error, BootProofError) else ""  # it ends with lines of the server's log
    return "".join(each if each.isprintable() or each in kept else repr(each)[1:-1] for each in text)


def debugging() -> bool:
    """True when `--debug` (or TRITON_FACTORY_DEBUG=1) asks for tracebacks."""
    return os.environ.get("TRITON_FACTORY_DEBUG") == "1"


@contextlib.contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    with streams.redirected([1], 2) as [stdout]:
        _stdouts.append(stdout)
        try:
            yield
        finally:
            _stdouts.remove(stdout)
