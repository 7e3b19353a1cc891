"""The cache outside the checkout, shared by all builds of a user. Standard library only."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from utils.host import lock

PARTIAL = ".partial-"
NAMES = ("wheels", "graphs", "heads", "matplotlib")


def cache_folder(name: str) -> Path:
    """The folder of the cache `name`, one of NAMES."""
    root = os.environ.get("XDG_CACHE_HOME") or ""
    base = Path(root) if Path(root).is_absolute() else Path("~/.cache").expanduser()
    return base / "triton-image-factory" / name


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a cache folder; partial entries in it are of killed builds and are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with lock.exclusive(folder.parent / f".{folder.name}.lock"):
        for leftover in folder.glob(f"{PARTIAL}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def size_of(folder: Path) -> int:
    """Bytes of the files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def empty() -> int:
    """Empties all caches; returns the bytes freed."""
    freed = 0
    for folder in filter(Path.is_dir, map(cache_folder, NAMES)):
        with locked(folder):
            for entry in folder.iterdir():
                freed += size_of(entry)
                shutil.rmtree(entry, ignore_errors=True)
    return freed
