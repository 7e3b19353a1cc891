"""What the boot proof measured of a container, kept in the build tree for its manifests."""

import json
from pathlib import Path

from utils.host.errors import ReleaseError

MEASURED_FILE = "measured.json"
_PEAK = "peak_memory_bytes"


def write_peak_memory(tree: Path, peak: int | None) -> None:
    """Stores the largest memory of the container in bytes; None if the engine does not tell."""
    (tree / MEASURED_FILE).write_text(json.dumps({_PEAK: peak}) + "\n", encoding="utf-8")


def read_peak_memory(tree: Path) -> int | None:
    """The stored memory in bytes, None without a boot proof; ReleaseError for a damaged file."""
    file = tree / MEASURED_FILE
    if not file.exists():
        return None
    try:
        peak = json.loads(file.read_text(encoding="utf-8"))[_PEAK]
        return None if peak is None else int(peak)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{str(file)!r} cannot be read ({error!r}); delete it and prove the image again") from error
