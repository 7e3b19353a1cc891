"""Keeps an SDK's chatter off both streams."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from utils.host import entry


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Nothing written inside the block shows, whoever writes it and how; only `--debug` is to see it."""
    if entry.debugging():
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, copy in enumerate(kept, start=1):
            os.dup2(copy, stream)
            os.close(copy)
