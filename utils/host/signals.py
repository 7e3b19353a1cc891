"""SIGINT and SIGTERM: the first one ends the command, later ones do not interrupt its clean-up."""

import signal
import time
from types import FrameType
from typing import NoReturn

from utils.host.errors import Terminated

# Clean-up takes seconds. After this time something hangs, and a further signal counts again.
PATIENCE_SECONDS = 30.0


class _Stop:
    """The signal that ended the command, and its time."""

    def __init__(self) -> None:
        self.number = 0
        self.since = 0.0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.number and time.monotonic() - self.since < PATIENCE_SECONDS:
            return
        self.number, self.since = number, time.monotonic()
        self.throw()

    def throw(self) -> NoReturn:
        if self.number == signal.SIGTERM:
            raise Terminated
        raise KeyboardInterrupt


_stop = _Stop()


def listen() -> None:
    """From now on SIGINT raises KeyboardInterrupt and SIGTERM raises Terminated, once.

    Also where SIGINT was ignored, as in background jobs of a shell.
    """
    _stop.number = 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def check() -> None:
    """Raises the signal's exception again: it may have been raised in a callback, where Python ignores it."""
    if _stop.number:
        _stop.throw()
