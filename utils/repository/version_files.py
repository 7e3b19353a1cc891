"""Puts files into the version folders of a model repository.

A graph may be a hard link. Files beside it may not: onnx.load() refuses external data with "multiple hard links,
indicating a potential hardlink attack" (onnx, checker.cc). Standard library only.
"""

from pathlib import Path

from utils.host.link_or_copy import clone, link
from utils.targets.formats import FORMATS


def place(source: Path, destination: Path) -> None:
    """Puts `source` into a version folder: a graph as a hard link, any other file as a separate file."""
    (link if is_graph(destination) else clone)(source, destination)


def is_graph(file: Path) -> bool:
    """True for the file of a version folder that may be a hard link."""
    return file.name in {form.file for form in FORMATS.values()}


def place_again(file: Path, destination: Path, originals: Path) -> None:
    """Puts a file of a model repository elsewhere: as a hard link to the file below `originals` it was placed from.

    That file has the same name, size and modification time. Without it (the placed file was edited, say), as `place`.
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
