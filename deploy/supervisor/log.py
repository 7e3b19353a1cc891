"""The supervisor's lines in the container's log."""

import sys
from collections.abc import Callable

# With TRITON_LOG_FORMAT=json, takes (level, text); None: text on stderr.
sink: Callable[[str, str], None] | None = None


def log(text: str, level: str = "info") -> None:
    """Writes one line. `level`: info, warning or error."""
    if sink:
        sink(level, text)
    else:
        print(f"supervisor: {text}", file=sys.stderr, flush=True)
