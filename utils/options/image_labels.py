"""--label: labels of the image that only its owner knows. Standard library only."""

import re
from collections.abc import Sequence

from utils.host.errors import UsageError

# As Docker recommends (https://docs.docker.com/engine/manage-resources/labels/), and capitals.
_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?")
_OURS = "triton-image-factory."
LONGEST = 16 * 1024


def parse_labels(options: Sequence[str]) -> dict[str, str]:
    """The labels of KEY=VALUE texts; UsageError for one that is not possible."""
    labels: dict[str, str] = {}
    for text in options:
        key, mark, value = text.partition("=")
        if not mark or not _KEY.fullmatch(key):
            raise UsageError(f"--label {text!r} is not KEY=VALUE; a KEY has letters, digits, '.', '_', '-' and '/'")
        if key.startswith(_OURS):
            raise UsageError(f"--label {key} is set by the build itself; choose a KEY that does not begin with {_OURS}")
        if key in labels:
            raise UsageError(f"--label {key} is given twice; leave one out")
        if len(text.encode("utf-8", "surrogateescape")) > LONGEST or "\0" in text:
            raise UsageError(f"--label {key} is too long or has a NUL character; at most {LONGEST} bytes are possible")
        labels[key] = value
    return labels
