"""Suppresses the output of SDKs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from utils.host import entry, streams


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Discards everything written to stdout and stderr inside the block, except with `--debug`."""
    if entry.debugging():
        yield
        return
    with Path(os.devnull).open("w") as nowhere, streams.redirected([1, 2], nowhere.fileno()):
        yield
