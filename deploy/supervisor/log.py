"""The supervisor's lines in the container's log."""

import sys


def say(text: str) -> None:
    """One line on stderr."""
    print(f"supervisor: {text}", file=sys.stderr, flush=True)
