"""The supervisor's lines in the container's log."""

import sys


def log(text: str) -> None:
    """Writes one line to stderr."""
    print(f"supervisor: {text}", file=sys.stderr, flush=True)
