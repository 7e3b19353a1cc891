"""Whether a build has room: told from the size of the model's weights, before anything slow runs."""

import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from utils.host.errors import ExportError, FactoryError, ImageError

# The graph is float32, twice as large as half-precision weights. Above 2 GB the exporter writes it twice; later, its
# external data lies in the tree twice, for a model repository's files have one name each (utils/host/link_or_copy.py).
COPIES_IN_BUILD = 4
# The build context, and the layer made of it; a half-precision model's graph counts twice here, too.
COPIES_IN_ENGINE = 4
BESIDES = 200_000_000  # wheels, logs, an image's own files; the base images are the user's to know


def require_room(weights: int, build: Path, engine_root: Path | None, *, kept: int = 0) -> None:
    """ExportError (4) or ImageError (7) when `weights` bytes need more than is free.

    `build` is where conversion and assembly write, and where former versions of the model take `kept` bytes;
    `engine_root` is where a local Docker engine keeps images.
    """
    wanted: dict[Path, tuple[int, type[FactoryError]]] = {
        build: (COPIES_IN_BUILD * weights + kept + BESIDES, ExportError),
    }
    if engine_root is not None:
        wanted[engine_root] = (COPIES_IN_ENGINE * weights + BESIDES, ImageError)
    together = _by_device({folder: need for folder, (need, _) in wanted.items()})
    for folder, (_, error_type) in wanted.items():
        need, free = together[folder], free_bytes(folder)
        if free < need:
            raise error_type(
                f"{str(folder)!r} has {gigabytes(free)} free and this build needs about {gigabytes(need)} there "
                f"(several copies of weights of {gigabytes(weights)}); make room (./cleanup.sh removes builds), then "
                "run the same command again"
            )


def _by_device(needs: Mapping[Path, int]) -> dict[Path, int]:
    """What each folder's file system must hold: two folders on one share what is free."""
    sums: dict[int, int] = defaultdict(int)
    for folder, need in needs.items():
        sums[folder.stat().st_dev] += need
    return {folder: sums[folder.stat().st_dev] for folder in needs}


def free_bytes(folder: Path) -> int:
    """What this user may still write there; 0 for a folder that cannot be asked."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def gigabytes(count: int) -> str:
    """A size for a person: "1.2 GB", "34 MB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
