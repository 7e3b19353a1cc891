"""Keeps an SDK's chatter off both streams."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from utils.host import entry, streams


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Nothing written inside the block shows, whoever writes it and how; only `--debug` is to see it."""
    if entry.debugging():
        yield
        return
    with Path(os.devnull).open("w") as nowhere, streams.redirected([1, 2], nowhere.fileno()):
        yield
