"""clearml: a file on a ClearML server, through the SDK: `<model id>`, `<model name>@<tag>` or `task/<id>/<artifact>`.

`Artifact.get()` is never called: it unpickles. bounded.py ends the SDK's endless loops.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from utils.host import digest
from utils.host.errors import SourceError
from utils.host.link_or_copy import clone
from utils.sources.storage import clearml_weights
from utils.sources.storage.archive import unpack
from utils.sources.storage.clearml_api import Entry, find_artifact, find_model, find_tagged
from utils.sources.storage.quiet import silence
from utils.sources.storage.scrub import scrub

SINGLE_FILES = (".onnx", ".pb")
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
        if not task and clearml_weights.is_weights(entry.uri):
            return clearml_weights.fetch(entry, patterns, files, reference, lambda: _download(revision, entry.uri))
        shutil.rmtree(files, ignore_errors=True)
        copy = _download_artifact(entry, revision, reference) if task else _download(revision, entry.uri)
        # A server on the same disk may return a folder, which needs no extraction.
        folder = copy if copy.is_dir() else _extracted(copy, files, reference, entry.uri)
    complete.write_text(f"{revision}\n{folder}\n")
    return folder


def _extracted(copy: Path, files: Path, reference: str, uri: str) -> Path:
    """The archive's files, or the single file of a ready graph under its name on the server."""
    if copy.suffix.lower() not in SINGLE_FILES:
        return unpack(copy, files, reference)
    files.mkdir(parents=True)
    clone(copy, files / Path(unquote(urlsplit(uri).path)).name)
    return files


def _download(model_id: str, uri: str) -> Path:
    from clearml import InputModel

    _check_reachable(uri)
    reason: Exception | None = None
    copy: str | None = None
    try:
        copy = InputModel(model_id).get_local_copy(extract_archive=False, raise_on_error=True)
    except ValueError as error:
        reason = error
    if copy is None or not Path(copy).exists():
        raise _not_downloaded(f"the file of model {model_id!r}", uri) from reason
    return Path(copy)


def _download_artifact(entry: Entry, revision: str, reference: str) -> Path:
    """The artifact's file, compared with the digest that the server has of it."""
    from clearml import StorageManager

    _check_reachable(entry.uri)
    copy = StorageManager.get_local_copy(entry.uri, extract_archive=False, force_download=True)
    if copy is None or not Path(copy).exists():
        raise _not_downloaded(f"the file of {reference}", entry.uri)
    if revision.startswith("sha256:") and Path(copy).is_file() and f"sha256:{digest.of_file(Path(copy))}" != revision:
        raise SourceError(
            f"the file of {reference} is not the one that its digest names ({revision}); if the task uploaded it anew, "
            "run the same command again"
        )
    return Path(copy)


def _not_downloaded(what: str, uri: str) -> SourceError:
    return SourceError(
        f"{what} cannot be downloaded from {_shown(uri)}; check that it exists and that this machine has read access"
    )


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
        if _refused(error):
            raise SourceError(
                f"{server} cannot be reached ({type(error).__name__}); "
                "check that it runs and that this machine can connect to it"
            ) from error
    except requests.RequestException:
        return


def _refused(error: Exception) -> bool:
    """True if there was no connection at all; the SDK retries a lost one."""
    return "NewConnectionError" in repr(error) or "ConnectTimeout" in repr(error) or "NameResolution" in repr(error)


def _shown(uri: str) -> str:
    """The address without its query, which may be a signature."""
    return scrub(urlunsplit(urlsplit(uri)._replace(query="", fragment="")))


@contextlib.contextmanager
def _private_cache(folder: Path) -> Iterator[None]:
    """A temporary cache for each download: the SDK's own is keyed by address and becomes stale."""
    folder.mkdir(parents=True, exist_ok=True)
    previous = os.environ.get("CLEARML_CACHE_DIR")
    os.environ["CLEARML_CACHE_DIR"] = str(folder)
    try:
        yield
    finally:
        if previous is None:
            del os.environ["CLEARML_CACHE_DIR"]
        else:
            os.environ["CLEARML_CACHE_DIR"] = previous
        shutil.rmtree(folder, ignore_errors=True)
