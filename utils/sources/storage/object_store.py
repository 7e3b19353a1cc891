"""Objects below a prefix of a bucket: what s3:, gs: and az: have in common."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.host import digest
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, WEIGHTS, matches


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An object as the server lists it. `tag` changes with the content; `md5` is in base64, None if not stored."""

    tag: str
    size: int
    md5: str | None = None


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """The objects at or below `locator` (bucket/prefix) of `scheme`.

    `listed()`: {bucket/key: entry}; it may contain other objects whose key starts alike. `download(key, file)` writes
    the content of one.
    """

    scheme: str
    locator: str
    listed: Callable[[], Mapping[str, Entry]]
    download: Callable[[str, Path], object]

    def revision(self) -> str:
        """`etag:` and 16 hex digits of a digest of the names and tags of the objects that a build may read."""
        return _revision(self._objects())

    def fetch(self, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
        """Downloads the objects whose names match; SourceError if one of them is no longer that of `revision`."""
        destination.mkdir(parents=True, exist_ok=True)
        objects = self._objects()
        if _revision(objects) == revision:
            for key, entry in objects.items():
                if matches(self._name(key), patterns):
                    self._download(key, entry, destination / self._name(key))
        if revision not in (_revision(objects), _revision(self._objects())):
            raise SourceError(f"{self} changed during the download (it was {revision}); run the same command again")
        return destination

    def _download(self, key: str, entry: Entry, file: Path) -> None:
        file.parent.mkdir(exist_ok=True)
        self.download(key, file)
        if file.stat().st_size != entry.size or (entry.md5 and _md5(file) != entry.md5):
            raise SourceError(
                f"the download of {file.name!r} of {self} is not the stored object ({file.stat().st_size} bytes of "
                f"{entry.size}); run the same command again"
            )

    def _objects(self) -> dict[str, Entry]:
        found = {key: entry for key, entry in self.listed().items() if self._is_read(key)}
        if not found:
            raise SourceError(
                f"{self} does not exist or has no objects; write {self.scheme}:bucket/prefix with the model's files"
            )
        return found

    def _is_read(self, key: str) -> bool:
        """True for the object of the reference, those directly below the prefix, and those of subfolders it reads."""
        folder, path = PurePosixPath(self.locator.strip("/")), PurePosixPath(key)
        if path != folder and folder not in path.parents:
            return False
        name = self._name(key)
        return "/" not in name or matches(name, METADATA + WEIGHTS)

    def _name(self, key: str) -> str:
        """The part of the key after the prefix, or the object's name if the reference is a single object."""
        folder, path = PurePosixPath(self.locator.strip("/")), PurePosixPath(key)
        return path.name if path == folder else path.relative_to(folder).as_posix()

    def __str__(self) -> str:
        return f"{self.scheme}:{self.locator}"


def split(scheme: str, locator: str) -> tuple[str, str]:
    """(bucket, prefix without the outer slashes) of a locator."""
    bucket, _, prefix = locator.strip("/").partition("/")
    if not bucket:
        raise SourceError(f"'{scheme}:{locator}' names no bucket; write {scheme}:bucket/prefix")
    return bucket, prefix


def _md5(file: Path) -> str:
    computed = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            computed.update(chunk)
    return base64.b64encode(computed.digest()).decode()


def _revision(objects: Mapping[str, Entry]) -> str:
    lines = "".join(f"{key}\0{objects[key].tag}\n" for key in sorted(objects))
    return f"etag:{digest.of_text(lines)[:16]}"
