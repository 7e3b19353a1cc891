"""Checks free disk space against the size of the model's weights, before anything slow runs."""

import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from utils.host.errors import ExportError, FactoryError, ImageError

# The graph is float32, twice as large as half-precision weights. Above 2 GB the exporter writes it twice; later the
# tree has two copies of its external data, which cannot be hard links (utils/repository/version_files.py).
COPIES_IN_BUILD = 4
# The build context and the image layer; a half-precision model's graph counts twice here, too.
COPIES_IN_ENGINE = 4
BESIDES = 200_000_000  # wheels, logs, the image's own files; base images are not counted


def require_room(weights: int, build: Path, engine_root: Path | None, *, kept: int = 0) -> None:
    """ExportError (4) or ImageError (7) when a build with `weights` bytes of weights needs more than is free.

    `build`: the folder of conversion and assembly, where earlier versions of the model take `kept` bytes;
    `engine_root`: the folder where a local Docker engine keeps images.
    """
    needs: dict[Path, tuple[int, type[FactoryError]]] = {
        build: (COPIES_IN_BUILD * weights + kept + BESIDES, ExportError),
    }
    if engine_root is not None:
        needs[engine_root] = (COPIES_IN_ENGINE * weights + BESIDES, ImageError)
    together = _by_device({folder: need for folder, (need, _) in needs.items()})
    for folder, (_, error_type) in needs.items():
        need, free = together[folder], free_bytes(folder)
        if free < need:
            raise error_type(
                f"{str(folder)!r} has {gigabytes(free)} free; this build needs about {gigabytes(need)} there "
                f"(several copies of {gigabytes(weights)} of weights); make room (./cleanup.sh removes builds), then "
                "run the same command again"
            )


def _by_device(needs: Mapping[Path, int]) -> dict[Path, int]:
    """The bytes needed on each folder's file system: folders on the same one share its free space."""
    sums: dict[int, int] = defaultdict(int)
    for folder, need in needs.items():
        sums[folder.stat().st_dev] += need
    return {folder: sums[folder.stat().st_dev] for folder in needs}


def free_bytes(folder: Path) -> int:
    """Bytes this user can still write in `folder`; 0 when they cannot be determined."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def gigabytes(count: int) -> str:
    """A readable size: "1.2 GB", "34 MB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
