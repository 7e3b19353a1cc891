"""Puts the files of a build into a second place, without their bytes lying twice where that can be.

A graph may have several names (hard links). Files beside it may not in a model repository: onnx.load() refuses external
data with "multiple hard links, indicating a potential hardlink attack" (onnx, checker.cc). Standard library only.
"""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

from utils.targets.formats import FORMATS

# Linux, ioctl_ficlone(2): the clone shares the blocks of its source until one of the two changes.
FICLONE = 0x40049409


def link(source: Path | str, destination: Path | str) -> None:
    """A second name for the same bytes; a clone where the file system has none, or for two file systems."""
    try:
        os.link(source, destination)
    except OSError:
        clone(Path(source), Path(destination))


def clone(source: Path, destination: Path) -> None:
    """A file of its own with the same bytes, mode and times: blocks shared where the file system can, else copied."""
    with contextlib.suppress(OSError), source.open("rb") as read, destination.open("wb") as write:
        fcntl.ioctl(write, FICLONE, read.fileno())
        shutil.copystat(source, destination)
        return
    shutil.copy2(source, destination)


def place(source: Path, destination: Path) -> None:
    """Puts `source` into a version folder: a graph by a second name, any other file as a file of its own."""
    (link if is_graph(destination) else clone)(source, destination)


def is_graph(file: Path) -> bool:
    """True for the file of a version folder that may have several names."""
    return file.name in {form.file for form in FORMATS.values()}


def place_again(file: Path, destination: Path, originals: Path) -> None:
    """Puts a file of a model repository elsewhere: by a second name of what it was placed from, below `originals`.

    That one is known by its name, size and time; without it, a file that was changed by hand included, as `place` does.
    """
    found = (path for path in originals.rglob("*") if path.name == file.name and _signature(path) == _signature(file))
    original = next(found, None)
    if original:
        link(original, destination)
    else:
        place(file, destination)


def _signature(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
