"""Where models, tokenizers and label maps come from. A storage is one module here and one row in STORAGES.

docs/extending.md shows how to add one.
"""

import importlib
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol, cast

from utils.host.errors import SourceError, UsageError

# What to take from a model or tokenizer folder. Weights come last and by themselves: everything that can be
# refused from the small files is refused before a large one is asked for.
# Some lie deeper: how a sentence-transformers folder pools its tokens, what it normalizes, and, before version 2.0, the
# model itself.
_OLD = "[0-9]*_Transformer/"
_SMALL = ("*.json", "*.txt", "*.model", "*.spm")
_MODULES = ("[0-9]*_Pooling/config.json", "[0-9]*_Normalize/config.json")
METADATA = (*_SMALL, "*.py", *_MODULES, *(f"{_OLD}{pattern}" for pattern in _SMALL))
# Without --allow-pickle the others are not even asked for.
SAFE_WEIGHTS = ("*.safetensors", f"{_OLD}*.safetensors")
WEIGHTS = (*SAFE_WEIGHTS, "*.bin", f"{_OLD}*.bin")

# scheme -> module; an import costs nothing until the storage is used.
STORAGES = {
    "local": "utils.sources.storage.local",
    "hf": "utils.sources.storage.hf",
    "clearml": "utils.sources.storage.clearml",
    "s3": "utils.sources.storage.s3",
}


@dataclass(frozen=True, kw_only=True)
class StorageRef:
    """A reference as the user writes it: `hf:user/name@v1` is scheme "hf", locator "user/name@v1"."""

    scheme: str
    locator: str

    def __str__(self) -> str:
        return self.locator if self.scheme == "local" else f"{self.scheme}:{self.locator}"


@dataclass(frozen=True, kw_only=True)
class FetchedArtifact:
    """A folder on this disk and the exact revision it is (a commit, a digest, a model id)."""

    path: Path
    revision: str


class Storage(Protocol):
    """What a storage module offers: two functions. Both raise SourceError, in one sentence that says what to do."""

    def resolve(self, locator: str) -> str:
        """The exact revision that `locator` stands for now, found without fetching any file."""

    def fetch(self, locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
        """A folder that holds the files of `revision` whose names match `patterns` (see `matches`).

        `destination` is a private folder for storages that download; one that has its files at hand, or a
        cache of its own, may return another path, which the caller only reads.
        """


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Is a file wanted? As fnmatch, but a `*` does not reach across a `/`: most patterns are for the top level only."""
    return any(name.count("/") == pattern.count("/") and fnmatch(name, pattern) for pattern in patterns)


def parse_reference(text: str) -> StorageRef:
    """`scheme:locator`, or a path. A path that exists wins over an unknown scheme."""
    match = re.match(r"([a-z][a-z0-9]+):(.+)", text, re.DOTALL)
    if match and match[1] in STORAGES:
        locator = match[2].removeprefix("//") if match[1] != "local" else match[2]
        return StorageRef(scheme=match[1], locator=locator)
    if match and not _exists(text):
        known = ", ".join(f"{scheme}:" for scheme in STORAGES)
        raise UsageError(f"{text!r} names no known storage and no path; known storages are {known}")
    return StorageRef(scheme="local", locator=text)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # a name too long, or no permission on the way: no path we could use
        return False


def open_storage(scheme: str) -> Storage:
    """The module behind a scheme."""
    return cast(Storage, importlib.import_module(STORAGES[scheme]))


__all__ = [
    "METADATA",
    "SAFE_WEIGHTS",
    "STORAGES",
    "WEIGHTS",
    "FetchedArtifact",
    "SourceError",
    "Storage",
    "StorageRef",
    "matches",
    "open_storage",
    "parse_reference",
]
