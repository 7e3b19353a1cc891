"""SHA-256 digests, in hexadecimal. Standard library only."""

import hashlib
from collections.abc import Mapping
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
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def of_files(files: Mapping[str, Path]) -> str:
    """One digest of the names and contents of `files`, in their order."""
    return of_text("".join(f"{name}\0{of_file(file)}\n" for name, file in files.items()))
