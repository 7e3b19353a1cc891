"""What every command shares: the stdout rule, signals, and errors as one line and an exit code."""

import argparse
import atexit
import contextlib
import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from utils.host import exceptions, installed, loopback, signals, streams
from utils.host.errors import BootProofError, FactoryError, Terminated, UsageError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

INTERRUPTED = 130
LONGEST_MESSAGE = 8000
# The real stdout, while `run` redirects file descriptor 1.
_stdouts: list[int] = []


class Printing(argparse.Action):
    """An option without a value that prints `text(parser)` and exits, as --help does."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, text: Callable[[argparse.ArgumentParser], str], help: str
    ) -> None:
        nowhere = argparse.SUPPRESS  # as argparse does for --help
        super().__init__(option_strings, nowhere, nargs=0, default=nowhere, help=help)
        self._text = text

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Called by argparse."""
        write_stdout(f"{self._text(parser)}\n")
        parser.exit()


class Parser(argparse.ArgumentParser):
    """An argument parser with --version that raises UsageError (exit 2) instead of printing and exiting."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        version = f"triton-image-factory {installed.VERSION}"
        self.add_argument("--version", action=Printing, text=lambda _: version, help="print the version and exit")

    def format_help(self) -> str:
        """The help, with the command names of an installed package."""
        return installed.with_command_names(super().format_help())

    def error(self, message: str) -> NoReturn:
        """Called by argparse for any error on the command line."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def print_help(self, file: "SupportsWrite[str] | None" = None) -> None:
        """Called by argparse for --help, which belongs on stdout."""
        if file is None:
            write_stdout(self.format_help())
        else:
            super().print_help(file)


def write_stdout(text: str) -> None:
    """Writes to the real stdout, even while `run` redirects file descriptor 1."""
    if _stdouts:
        os.write(_stdouts[-1], text.encode())
    else:
        sys.stdout.write(text)


def run(command: Callable[[], str]) -> NoReturn:
    """Runs `command`, prints its result (if not empty) to stdout, and exits.

    Libraries print to stdout, too: while the command runs, file descriptor 1 is stderr, so that only the result
    reaches stdout.
    """
    result = ""

    def with_clean_stdout() -> None:
        nonlocal result
        with _clean_stdout():
            result = command()

    code = exit_code(with_clean_stdout) or exit_code(lambda: _print(result))
    atexit.register(gc.freeze)  # with torch in memory, the last garbage collection takes a second
    sys.exit(code)


def exit_code(command: Callable[[], object]) -> int:
    """Runs `command`, prints an error as one line on stderr, and returns the exit code."""
    signals.listen()
    loopback.keep_from_proxies()
    try:
        command()
    except FactoryError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        _print_line("interrupted")
        return INTERRUPTED
    except Terminated as error:
        _print_line("terminated")
        return error.exit_code
    except BaseException as error:
        if not exceptions.is_fault(error):
            raise
        fault = FactoryError(exceptions.message_of(error))
        print_error(fault, cause=error)
        return fault.exit_code
    return 0


def _print(result: str) -> None:
    if not result:
        return
    try:
        print(result, flush=True)
    except OSError:
        # Python would try again at exit and print its own error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise


def _print_line(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def print_error(error: FactoryError, cause: BaseException | None = None) -> None:
    """Prints the error as one line on stderr; with `--debug`, its traceback (or that of `cause`) first."""
    with contextlib.suppress(OSError):
        if debugging():
            traceback.print_exception(cause or error, file=sys.stderr)
        print(f"error: {_printable(error)}", file=sys.stderr)


def _printable(error: FactoryError) -> str:
    """The message without control characters and further lines, cut to LONGEST_MESSAGE: it may quote foreign text."""
    text = installed.with_command_names(str(error))
    if len(text) > LONGEST_MESSAGE:
        half = LONGEST_MESSAGE // 2
        text = f"{text[:half]} ... {text[-half:]}"  # the advice is at the end
    kept = "\n" if isinstance(error, BootProofError) else ""  # it ends with lines of the server log
    return "".join(each if each.isprintable() or each in kept else repr(each)[1:-1] for each in text)


def debugging() -> bool:
    """True with `--debug` or TRITON_FACTORY_DEBUG=1: tracebacks are printed."""
    return os.environ.get("TRITON_FACTORY_DEBUG") == "1"


@contextlib.contextmanager
def _clean_stdout() -> Iterator[None]:
    with streams.redirected([1], 2) as [stdout]:
        _stdouts.append(stdout)
        try:
            yield
        finally:
            _stdouts.remove(stdout)
