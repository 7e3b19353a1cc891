"""Conversions kept between builds, by what went into them: the same model under another name is only rendered.

Standard library only. An entry is a folder: the graph and its external data, tokenizer.json, and conversion.json with
what utils/convert/cached_conversion.py writes there and a digest of each file.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from utils import ROOT
from utils.host import digest
from utils.host.cache_folder import PARTIAL, cache_folder, locked, size_of
from utils.host.link_or_copy import link
from utils.host.progress import warn

CONTENT = "conversion.json"
# The key of the files and their digests in it.
FILES = "files"
# Packages that a graph, a tokenizer or an answer may depend on.
TOOLS = ("torch", "transformers", "optimum", "optimum-onnx", "onnx", "onnxruntime", "onnxscript", "tokenizers", "numpy")
# The limit of all entries together; the least recently used entry is removed first.
BOUND_VARIABLE, DEFAULT_GIGABYTES = "TRITON_FACTORY_CACHE_GB", 20.0


def key_of(values: Mapping[str, Any]) -> str:
    """A digest of JSON values, of the tools' versions and of this project's own code."""
    content = {**values, "tools": {tool: _version(tool) for tool in TOOLS}, "code": _code()}
    return digest.of_text(json.dumps(content, sort_keys=True, ensure_ascii=True))[:32]


def _version(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:
        return "none"


@lru_cache
def _code() -> str:
    """A digest of the code that converts: a change invalidates every entry."""
    files = sorted([*(ROOT / "utils").rglob("*.py"), *(ROOT / "model_repository/shared").glob("*.py")])
    return digest.of_files({str(file.relative_to(ROOT)): file for file in files})


def find(key: str, *, checked: int) -> dict[str, Any] | None:
    """The content of an entry whose batches were checked up to `checked` rows; its files are not read."""
    try:
        if _folder().is_dir():
            with locked(_folder()):  # another build may be about to put an entry into its place
                return _content(key, checked)
    except OSError:
        pass  # without permission to lock, there is no cache
    return None


def take(key: str, destination: Path, *, checked: int) -> dict[str, Any] | None:
    """Like `find`, with the files placed into `destination`; None without an entry. A damaged entry is removed."""
    try:
        if not _folder().is_dir():
            return None
        with locked(_folder()):
            content = _content(key, checked)
            placed = content is not None and _placed(key, content[FILES], destination)
        if content is None:
            return None
        if placed and all(digest.of_file(destination / name) == each for name, each in content[FILES].items()):
            return content
        shutil.rmtree(destination, ignore_errors=True)
        with locked(_folder()):
            _remove(key, "is damaged")
    except OSError:
        shutil.rmtree(destination, ignore_errors=True)
    return None


def _content(key: str, checked: int) -> dict[str, Any] | None:
    """Requires the lock."""
    try:
        content: dict[str, Any] = json.loads((_folder() / key / CONTENT).read_text(encoding="utf-8"))
        return content if bound() and content["checked"] >= checked and content[FILES] else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        _remove(key, "cannot be read")
        return None


def _placed(key: str, names: Collection[str], destination: Path) -> bool:
    """False if a file is missing. Requires the lock."""
    try:
        destination.mkdir(parents=True, exist_ok=True)
        for name in names:
            link(_folder() / key / Path(name).name, destination / Path(name).name)
        os.utime(_folder() / key / CONTENT)
    except OSError:
        return False
    return True


def keep(key: str, files: list[Path], content: Mapping[str, Any]) -> None:
    """Stores a conversion, replacing an entry of the same key; a failure to write is only a warning."""
    if not bound():
        return
    try:
        whole = {**content, FILES: {file.name: digest.of_file(file) for file in files}}
        with (
            locked(_folder()),
            tempfile.TemporaryDirectory(dir=_folder(), prefix=PARTIAL, ignore_cleanup_errors=True) as partial,
        ):
            fresh = Path(partial) / "entry"
            fresh.mkdir()
            for file in files:
                link(file, fresh / file.name)
            (fresh / CONTENT).write_text(json.dumps(whole, ensure_ascii=True), encoding="utf-8")
            if (_folder() / key).exists():
                (_folder() / key).rename(Path(partial) / "former")
            fresh.rename(_folder() / key)
            _evict()
    except OSError as error:
        warn(f"the conversion is not cached: {error}; set XDG_CACHE_HOME to move the cache")


def bound() -> float:
    """The limit in bytes; 0 disables the cache."""
    try:
        return max(0.0, float(os.environ.get(BOUND_VARIABLE) or DEFAULT_GIGABYTES)) * 1e9
    except ValueError:
        return DEFAULT_GIGABYTES * 1e9


def _evict() -> None:
    """Requires the lock."""
    entries = sorted(_folder().glob(f"[0-9a-f]*/{CONTENT}"), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in entries:
        total += size_of(file.parent)
        if total > bound():
            shutil.rmtree(file.parent, ignore_errors=True)


def _remove(key: str, reason: str) -> None:
    """Requires the lock."""
    warn(f"a cached conversion {reason} ({str(_folder() / key)!r}); the model is converted again")
    shutil.rmtree(_folder() / key, ignore_errors=True)


def _folder() -> Path:
    return cache_folder("graphs")
