"""clearml: a model of a ClearML server by its id, through the SDK.

`Artifact.get()` is never called: it unpickles. The SDK's own endless loops are ended by bounded.py.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from utils.host.errors import SourceError
from utils.host.link_or_copy import clone
from utils.sources.storage.archive import unpack
from utils.sources.storage.clearml_api import find_model_uri
from utils.sources.storage.quiet import silence
from utils.sources.storage.scrub import scrub

SINGLE_FILES = (".onnx", ".pb")
_CONNECT_SECONDS = 10.0
_FIRST_BYTE_SECONDS = 30.0


def resolve(locator: str) -> str:
    """The model id itself: a model's file never changes under its id. Checks that the server knows it."""
    model_id = locator.strip()
    with silence():
        find_model_uri(model_id)
    return model_id


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """The model's archive, extracted below `destination`; the folder that holds its files."""
    del locator, patterns  # an archive is one piece: the first call brings all of it, a second one finds it there
    files, complete = destination / "files", destination / "complete"
    if complete.is_file() and complete.read_text().startswith(f"{revision}\n"):
        return Path(complete.read_text().splitlines()[1])
    shutil.rmtree(files, ignore_errors=True)
    with silence(), _private_cache(destination / "cache"):
        uri = find_model_uri(revision)
        copy = _download(revision, uri)
        # A server on the same disk may name a folder: then there is nothing to open.
        folder = copy if copy.is_dir() else _opened(copy, files, revision, uri)
    complete.write_text(f"{revision}\n{folder}\n")
    return folder


def _opened(copy: Path, files: Path, revision: str, uri: str) -> Path:
    """The archive's files; of a ready graph, which is one file and no archive, that, under its name on the server."""
    if copy.suffix.lower() not in SINGLE_FILES:
        return unpack(copy, files, f"clearml:{revision}")
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
        raise SourceError(
            f"the file of model {model_id!r} cannot be downloaded from {_shown(uri)}; check that it is there and "
            "that this machine may read it"
        ) from reason
    return Path(copy)


def _check_reachable(uri: str) -> None:
    """The SDK would knock at a dead file server for a quarter of an hour, and wait as long for a silent one."""
    import requests

    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"}:
        return
    server = f"the file server {parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    try:
        # Whatever it answers, it answers; what that means is the SDK's to tell, which knows the login.
        requests.head(uri, timeout=(_CONNECT_SECONDS, _FIRST_BYTE_SECONDS)).close()
    except requests.ReadTimeout as error:
        raise SourceError(f"{server} accepts and does not answer; check that it is in order") from error
    except requests.ConnectionError as error:
        if _refused(error):
            raise SourceError(
                f"{server} cannot be reached ({type(error).__name__}); "
                "check that it runs and that this machine may connect to it"
            ) from error
    except requests.RequestException:
        return


def _refused(error: Exception) -> bool:
    """No connection at all, unlike one that was cut off, which the SDK may repeat."""
    return "NewConnectionError" in repr(error) or "ConnectTimeout" in repr(error) or "NameResolution" in repr(error)


def _shown(uri: str) -> str:
    """Without the query, which may be a signature."""
    return scrub(urlunsplit(urlsplit(uri)._replace(query="", fragment="")))


@contextlib.contextmanager
def _private_cache(folder: Path) -> Iterator[None]:
    """The SDK's cache is keyed by address and goes stale, so each download has one of its own, gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("CLEARML_CACHE_DIR")
    os.environ["CLEARML_CACHE_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["CLEARML_CACHE_DIR"]
        else:
            os.environ["CLEARML_CACHE_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)
