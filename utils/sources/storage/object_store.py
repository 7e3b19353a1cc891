"""Objects below a prefix of a bucket: what s3:, gs: and az: have in common."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from utils.host import digest
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, WEIGHTS, matches
from utils.sources.storage.scrub import explained


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
                if (name := self._name(key)) and matches(name, patterns):
                    self._download(key, entry, destination / name)
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
        found = {key: entry for key, entry in self.listed().items() if self._name(key)}
        if not found:
            raise SourceError(
                f"{self} does not exist or has no objects; write {self.scheme}:bucket/prefix with the model's files"
            )
        return found

    def _name(self, key: str) -> str | None:
        """The part of the key after the prefix, or the object's name if the reference is a single object.

        None for other objects, and for those of subfolders that no build reads.
        """
        folder, path = PurePosixPath(self.locator.strip("/")), PurePosixPath(key)
        if path != folder and folder not in path.parents:
            return None
        name = path.name if path == folder else path.relative_to(folder).as_posix()
        return name if "/" not in name or matches(name, METADATA + WEIGHTS) else None

    def __str__(self) -> str:
        return f"{self.scheme}:{self.locator}"


def functions(
    opened: Callable[[str], Prefix], sentence: Callable[[str, Exception], str | None]
) -> tuple[Callable[[str], str], Callable[[str, str, tuple[str, ...], Path], Path]]:
    """`resolve` and `fetch` of a storage. `opened(locator)`: its objects. `sentence(locator, error)`: see explained."""

    def resolve(locator: str) -> str:
        with explained(partial(sentence, locator)):
            return opened(locator).revision()

    def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
        with explained(partial(sentence, locator)):
            return opened(locator).fetch(revision, patterns, destination)

    return resolve, fetch


def split(scheme: str, locator: str) -> tuple[str, str]:
    """(bucket, prefix without the outer slashes) of a locator."""
    bucket, _, prefix = locator.strip("/").partition("/")
    if not bucket:
        raise SourceError(f"'{scheme}:{locator}' names no bucket; write {scheme}:bucket/prefix")
    return bucket, prefix


def _md5(file: Path) -> str:
    computed = hashlib.md5(usedforsecurity=False)
    digest.feed(file, computed.update)
    return base64.b64encode(computed.digest()).decode()


def _revision(objects: Mapping[str, Entry]) -> str:
    lines = "".join(f"{key}\0{objects[key].tag}\n" for key in sorted(objects))
    return f"etag:{digest.of_text(lines)[:16]}"
