"""SHA-256 digests, in hexadecimal. Standard library only."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

_CHUNK = 1 << 20  # bytes; weights are gigabytes


def of_bytes(content: bytes) -> str:
    """The digest of `content`."""
    return hashlib.sha256(content).hexdigest()


def of_text(text: str) -> str:
    """The digest of `text` in UTF-8; file names that are not UTF-8 count with their bytes."""
    return of_bytes(text.encode("utf-8", "surrogateescape"))


def of_file(file: Path) -> str:
    """The digest of a file's content."""
    digest = hashlib.sha256()
    feed(file, digest.update)
    return digest.hexdigest()


def feed(file: Path, update: Callable[[bytes], object]) -> None:
    """Calls `update`, the method of a hash of any kind, with the parts of a file's content."""
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            update(chunk)


def of_files(files: Mapping[str, Path]) -> str:
    """One digest of the names and contents of `files`, in their order."""
    return of_text("".join(f"{name}\0{of_file(file)}\n" for name, file in files.items()))
