"""SIGINT and SIGTERM: the first one ends the command, the next ones do not disturb what it then clears up."""

import signal
import time
from types import FrameType
from typing import NoReturn

from utils.host.errors import Terminated

# Clearing up takes seconds; when it takes longer than this, something hangs, and a further signal counts again.
PATIENCE_SECONDS = 30.0


class _Stop:
    """The signal that ended the command, and when."""

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
    """From here on SIGINT raises KeyboardInterrupt and SIGTERM raises Terminated, once.

    Also where SIGINT came ignored: a shell starts its background jobs so, and a build among them must be stoppable.
    """
    _stop.number = 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def check() -> None:
    """Raises again what a library swallowed: a signal can arrive in a callback whose exceptions Python ignores."""
    if _stop.number:
        _stop.throw()
