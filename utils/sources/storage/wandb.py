"""wandb: an artifact of Weights & Biases, `entity/project/name[:alias]`, `latest` by default.

The client reads WANDB_API_KEY and WANDB_BASE_URL. It runs without its usage reports, and writes only below the
destination.
"""

import contextlib
import hashlib
import os
import re
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.host import digest
from utils.host.errors import SourceError
from utils.sources.storage import matches
from utils.sources.storage.archive import held_below
from utils.sources.storage.quiet import silence
from utils.sources.storage.scrub import explained, scrub

if TYPE_CHECKING:
    import wandb  # type: ignore[import-not-found]

_SETTINGS = {
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SILENT": "true",
    "WANDB_CONSOLE": "off",
    "WANDB__DISABLE_STATS": "true",
    "WANDB__DISABLE_META": "true",
    "WANDB__GRAPHQL_RETRY_MAX": "1",
}
# Seconds to wait for a connection, and for the next bytes.
TIMEOUT = (10.0, 20.0)
_LOCATOR = re.compile(r"(\w[\w.-]*)/(\w[\w.-]*)/(\w[\w.-]*)(:\w[\w./-]*)?", re.ASCII)
# {pattern in the client's text: what it means}, the first that matches
_MEANINGS = {
    "did not respond in time": "{server} does not answer for {reference}; check the network and WANDB_BASE_URL",
    "invalid character|validation error": "the answer of {server} for {reference} is not that of Weights & Biases; "
    "check WANDB_BASE_URL",
    "No API key": "{server} needs a key for {reference}; set WANDB_API_KEY, or run wandb login",
    r"error 40[13]|not logged in|invalid credentials|Failed to verify": "{server} refuses {reference}; set "
    "WANDB_API_KEY to the key of an account that may read it",
    "not found": "{server} has no {reference}; check the entity, the project, the name and the alias",
}


def resolve(locator: str) -> str:
    """The version (`v3`) that the alias names now; the files of a version never change."""
    with _artifact(locator, "", Path(tempfile.mkdtemp())) as artifact:  # bounded.py removes the temporary files
        return str(artifact.version)


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """Downloads the files of version `revision` that match into a folder below `destination`."""
    files = destination / "files"
    files.mkdir(parents=True, exist_ok=True)
    with _artifact(locator, revision, destination / "client") as artifact:
        entries = artifact.manifest.entries
        root = held_below(entries, f"wandb:{locator}")
        for path in entries:
            name = path.removeprefix(root)
            if path.startswith(root) and matches(name, patterns) and not (files / name).exists():
                _download(artifact.get_entry(path), files / name, destination / "unfinished", locator)
    return files


def _download(entry: "wandb.sdk.artifacts.ArtifactManifestEntry", file: Path, folder: Path, locator: str) -> None:
    """Downloads one file by way of `folder`. The client compares no digest after a download."""
    if entry.ref is not None:
        raise SourceError(
            f"wandb:{locator} has {str(entry.path)!r} as a reference to {entry.ref.partition('?')[0]}; log the file "
            "itself as part of the artifact"
        )
    found = Path(entry.download(root=str(folder), skip_cache=True))
    if entry.digest != _digest(found, entry.digest_algorithm().value):
        found.unlink()
        raise SourceError(
            f"the content of {str(entry.path)!r} of wandb:{locator} is not the one that its digest {entry.digest} "
            "names; run the same command again"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    found.rename(file)


def _digest(file: Path, algorithm: str) -> str:
    """In base 64, as manifests have it."""
    import xxhash  # type: ignore[import-not-found]

    made = xxhash.xxh128() if algorithm.endswith("XXH128") else hashlib.md5(usedforsecurity=False)
    digest.feed(file, made.update)
    return b64encode(made.digest()).decode()


@contextlib.contextmanager
def _artifact(locator: str, version: str, folder: Path) -> Iterator["wandb.Artifact"]:
    """The artifact of this version, or of the locator's alias; the client's own files are below `folder`."""
    match = _LOCATOR.fullmatch(locator)
    if not match:
        raise SourceError(f"'wandb:{locator}' is no artifact; write wandb:entity/project/name:alias")
    places = ("DIR", "CACHE_DIR", "CONFIG_DIR", "DATA_DIR", "ARTIFACT_DIR")
    own = {f"WANDB_{place}": str(folder / place.lower()) for place in places}
    for path in own.values():
        Path(path).mkdir(parents=True, exist_ok=True)
    os.environ.update({**_SETTINGS, **own})
    with explained(partial(_sentence, f"wandb:{locator}")), silence():
        import wandb

        _limit_waits()
        api = wandb.Api({"entity": match[1], "project": match[2]}, timeout=int(TIMEOUT[1]))
        alias = f":{version}" if version else match[4] or ":latest"
        yield api.artifact(f"{match[1]}/{match[2]}/{match[3]}{alias}")


def _limit_waits() -> None:
    """Gives each request of the client a time limit and two retries; its own retries last 20 minutes."""
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    send = HTTPAdapter.send

    def bounded(self: HTTPAdapter, request: Any, **settings: Any) -> Any:
        self.max_retries = Retry(2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), raise_on_status=False)
        return send(self, request, **{**settings, "timeout": TIMEOUT})

    if send.__name__ != "bounded":
        HTTPAdapter.send = bounded  # type: ignore[assignment, method-assign]


def _sentence(reference: str, error: Exception) -> str:
    import requests

    server = scrub(os.environ.get("WANDB_BASE_URL") or "Weights & Biases")
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return (
            f"the connection to {server} was lost while downloading a file of {reference}; run the same command again"
        )
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        if status in (401, 403):
            return f"{server} refuses a file of {reference} ({status}); set WANDB_API_KEY to a key that may read it"
        return f"{server} answered {status} for a file of {reference}; run the same command again later"
    if isinstance(error, requests.RequestException):
        return f"{server} does not answer for a file of {reference}; check the network"
    text = " ".join(str(error).split())
    for words, meaning in _MEANINGS.items():
        if re.search(words, text):
            return meaning.format(server=server, reference=reference)
    return f"{reference} cannot be read from {server} ({type(error).__name__}: {text[:200]}); check WANDB_BASE_URL"
