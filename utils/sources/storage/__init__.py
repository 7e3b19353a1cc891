"""Where models, tokenizers and label maps come from. A storage is one module here and one row in STORAGES.

docs/extending.md shows how to add one.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Protocol

from utils.host.errors import UsageError

# The files to fetch of a model or tokenizer folder. Weights are fetched last, after the small files are checked.
# Some are in subfolders: the modules of sentence-transformers and, before version 2.0, the model itself.
_OLD = "[0-9]*_Transformer/"
_SMALL = ("*.json", "*.txt", "*.model", "*.spm")
_WEIGHTED = ("[0-9]*_Dense/", "[0-9]*_LayerNorm/")
_MODULES = ("[0-9]*_Pooling/", "[0-9]*_Normalize/", "[0-9]*_SpladePooling/", *_WEIGHTED)
METADATA = (
    *_SMALL,
    "*.py",
    *(f"{folder}config.json" for folder in _MODULES),
    *(f"{_OLD}{pattern}" for pattern in _SMALL),
)
# Others are fetched only with --allow-pickle.
SAFE_WEIGHTS = tuple(f"{folder}*.safetensors" for folder in ("", _OLD, *_WEIGHTED))
WEIGHTS = (*SAFE_WEIGHTS, *(f"{folder}*.bin" for folder in ("", _OLD, *_WEIGHTED)), "model_head.pkl")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A storage: its module, and the name of the environment with its packages; None is the factory environment.

    The module is imported on first use, and an environment is set up on first use. `is_address`: the reference is a
    URL; its locator starts with `//`, and its query, which may be a signature, is not shown.
    """

    module: str
    environment: str | None = None
    is_address: bool = False


# scheme -> storage
STORAGES = {
    "local": Row(module="utils.sources.storage.local"),
    "hf": Row(module="utils.sources.storage.hf"),
    "clearml": Row(module="utils.sources.storage.clearml"),
    "s3": Row(module="utils.sources.storage.s3"),
    "gs": Row(module="utils.sources.storage.gs", environment="gcs"),
    "az": Row(module="utils.sources.storage.az", environment="azure"),
    "https": Row(module="utils.sources.storage.https", is_address=True),
    "oci": Row(module="utils.sources.storage.oci"),
    "git": Row(module="utils.sources.storage.git"),
    "mlflow": Row(module="utils.sources.storage.mlflow", environment="mlflow"),
    "wandb": Row(module="utils.sources.storage.wandb", environment="wandb"),
}


@dataclass(frozen=True, kw_only=True)
class StorageRef:
    """A reference: `hf:user/name@v1` has the scheme "hf" and the locator "user/name@v1"."""

    scheme: str
    locator: str

    def __str__(self) -> str:
        if self.scheme == "local":
            return self.locator
        shown = re.sub(r"\?[^#]*", "", self.locator) if self._is_address else self.locator
        return f"{self.scheme}:{shown}"

    @property
    def suffix(self) -> str:
        """The suffix of the file that it names, in lower case; "" for a folder."""
        path = re.split(r"[?#]", self.locator)[0] if self._is_address else self.locator
        return PurePosixPath(path).suffix.lower()

    @property
    def _is_address(self) -> bool:
        return self.scheme in STORAGES and STORAGES[self.scheme].is_address


@dataclass(frozen=True, kw_only=True)
class FetchedArtifact:
    """A local folder and its exact revision (a commit, a digest, a model id)."""

    path: Path
    revision: str


class Storage(Protocol):
    """A storage module: two functions, which raise SourceError with one sentence that says what to do."""

    def resolve(self, locator: str) -> str:
        """The exact revision of `locator` now, found without fetching a file."""

    def fetch(self, locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
        """A folder with the files of `revision` whose names match `patterns` (see `matches`).

        `destination` is a private folder for downloads; a storage with local files or its own cache may return
        another path, which the caller only reads.
        """


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """True if `name` matches a pattern of fnmatch, where `*` does not match a `/`."""
    return any(name.count("/") == pattern.count("/") and fnmatch(name, pattern) for pattern in patterns)


def parse_reference(text: str) -> StorageRef:
    """Parses `scheme:locator`, or a path. An existing path has priority over an unknown scheme."""
    match = re.match(r"([a-z][a-z0-9]+):(.+)", text, re.DOTALL)
    if match and match[1] in STORAGES:
        as_written = match[1] == "local" or STORAGES[match[1]].is_address
        locator = match[2] if as_written else match[2].removeprefix("//")
        return StorageRef(scheme=match[1], locator=locator)
    if match and not _exists(text):
        known = ", ".join(f"{scheme}:" for scheme in STORAGES)
        raise UsageError(f"{text!r} is neither an existing path nor a known storage; known storages are {known}")
    return StorageRef(scheme="local", locator=text)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # a name too long, or no permission: not a usable path
        return False
