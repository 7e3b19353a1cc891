"""clearml: a file on a ClearML server, through the SDK: `<model id>`, `<model name>@<tag>` or `task/<id>/<artifact>`.

`Artifact.get()` is never called: it unpickles. bounded.py ends the SDK's endless loops.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from utils.host import digest
from utils.host.errors import SourceError
from utils.host.link_or_copy import clone
from utils.sources.storage import matches
from utils.sources.storage.archive import unpack
from utils.sources.storage.clearml_api import Entry, find_artifact, find_model, find_tagged
from utils.sources.storage.quiet import silence
from utils.sources.storage.scrub import shown

SINGLE_FILES = (".onnx", ".pb")
# A model whose package is one file of weights: suffix on the server -> the name that save_pretrained() gives the file.
_WEIGHTS = {".safetensors": "model.safetensors", ".bin": "pytorch_model.bin"}
_ARTIFACT = re.compile(r"task/(?P<id>\w+)/(?P<name>.+)", re.ASCII)
_TAGGED = re.compile(r"(?P<name>.+)@(?P<tag>[^@]+)")
_CONNECT_SECONDS = 10.0
_FIRST_BYTE_SECONDS = 30.0


def resolve(locator: str) -> str:
    """The model id, because a model's file does not change; of a task's artifact, its digest if the server has one."""
    locator = locator.strip()
    with silence():
        if task := _ARTIFACT.fullmatch(locator):
            entry = find_artifact(task["id"], task["name"])
            return f"sha256:{entry.digest}" if entry.digest else f"task {task['id']}"
        if tagged := _TAGGED.fullmatch(locator):
            locator = find_tagged(tagged["name"], tagged["tag"])
        find_model(locator)
    return locator


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """Downloads and extracts the archive below `destination`; returns the folder with its files."""
    files, complete = destination / "files", destination / "complete"
    if complete.is_file() and complete.read_text().startswith(f"{revision}\n"):
        return Path(complete.read_text().splitlines()[1])
    reference = f"clearml:{locator.strip()}"
    with silence(), _private_cache(destination / "cache"):
        task = _ARTIFACT.fullmatch(locator.strip())
        entry = find_artifact(task["id"], task["name"]) if task else find_model(revision)
        if not task and _suffix(entry.uri) in _WEIGHTS:
            return _fetch_weights(revision, entry, patterns, files, reference)
        shutil.rmtree(files, ignore_errors=True)
        copy = _download_artifact(entry, revision, reference) if task else _download(revision, entry.uri)
        if copy.is_dir():  # of a server on the same disk
            folder = copy
        elif copy.suffix.lower() in SINGLE_FILES:
            files.mkdir(parents=True)
            clone(copy, files / Path(unquote(urlsplit(entry.uri).path)).name)
            folder = files
        else:
            folder = unpack(copy, files, reference)
    complete.write_text(f"{revision}\n{folder}\n")
    return folder


def _fetch_weights(model_id: str, entry: Entry, patterns: tuple[str, ...], folder: Path, reference: str) -> Path:
    """`folder` with config.json, and with the weights once `patterns` match them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(_configuration(entry, reference)), encoding="utf-8")
    weights = folder / _WEIGHTS[_suffix(entry.uri)]
    if matches(weights.name, patterns) and not weights.exists():
        clone(_download(model_id, entry.uri), weights)
    return folder


def _suffix(uri: str) -> str:
    return PurePosixPath(unquote(urlsplit(uri).path)).suffix.lower()


def _configuration(entry: Entry, reference: str) -> dict[str, Any]:
    """The configuration as JSON, or in HOCON, which the SDK writes for a dict."""
    text = entry.configuration.strip()
    if not text:
        raise SourceError(
            f"{reference} is one file of weights without a configuration; register the model folder as a zip, or set "
            "config.json as the model's configuration (config_text)"
        )
    try:
        parsed = json.loads(text) if text.startswith("{") else _hocon(text)
    except ValueError as error:
        raise SourceError(
            f"the configuration of {reference} cannot be read; set the text of config.json as the model's "
            "configuration (config_text)"
        ) from error
    return dict(parsed)


def _hocon(text: str) -> dict[str, Any]:
    """ValueError for text with escapes: the SDK writes a character such as "\u00ed" and does not read it back."""
    from clearml.utilities.config import text_to_config_dict

    if "\\" in text:
        raise ValueError("escapes")
    return dict(text_to_config_dict(text))


def _download(model_id: str, uri: str) -> Path:
    from clearml import InputModel

    return _copy_of(
        f"the file of model {model_id!r}",
        uri,
        lambda: InputModel(model_id).get_local_copy(extract_archive=False, raise_on_error=True),
    )


def _download_artifact(entry: Entry, revision: str, reference: str) -> Path:
    """The artifact's file, compared with the digest that the server has of it."""
    from clearml import StorageManager

    copy = _copy_of(
        f"the file of {reference}",
        entry.uri,
        lambda: StorageManager.get_local_copy(entry.uri, extract_archive=False, force_download=True),
    )
    if revision.startswith("sha256:") and copy.is_file() and f"sha256:{digest.of_file(copy)}" != revision:
        raise SourceError(
            f"the file of {reference} is not the one that its digest names ({revision}); if the task uploaded it anew, "
            "run the same command again"
        )
    return copy


def _copy_of(what: str, uri: str, download: Callable[[], str | None]) -> Path:
    _check_reachable(uri)
    copy: str | None = None
    reason: Exception | None = None
    try:
        copy = download()
    except ValueError as error:
        reason = error
    if copy is None or not Path(copy).exists():
        raise SourceError(
            f"{what} cannot be downloaded from {shown(uri)}; check that it exists and that this machine has read access"
        ) from reason
    return Path(copy)


def _check_reachable(uri: str) -> None:
    """Checks the file server: the SDK would retry an unreachable or silent one for a quarter of an hour."""
    import requests

    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"}:
        return
    server = f"the file server {parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    try:
        # Any answer is enough here; the SDK interprets it with the login.
        requests.head(uri, timeout=(_CONNECT_SECONDS, _FIRST_BYTE_SECONDS)).close()
    except requests.ReadTimeout as error:
        raise SourceError(f"{server} accepts connections and does not answer; check that it works") from error
    except requests.ConnectionError as error:
        # Without any connection; the SDK retries a lost one.
        if any(kind in repr(error) for kind in ("NewConnectionError", "ConnectTimeout", "NameResolution")):
            raise SourceError(
                f"{server} cannot be reached ({type(error).__name__}); "
                "check that it runs and that this machine can connect to it"
            ) from error
    except requests.RequestException:
        return


@contextlib.contextmanager
def _private_cache(folder: Path) -> Iterator[None]:
    """A temporary cache for each download, in a process of its own: the SDK's is keyed by address and becomes stale."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["CLEARML_CACHE_DIR"] = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
