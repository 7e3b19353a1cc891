"""https: an archive of a model folder, or one file, with its digest: `//host/path/model.tar.gz#sha256=HEX`.

The client reads HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, REQUESTS_CA_BUNDLE and the logins of ~/.netrc.
"""

import hashlib
import re
import shutil
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from utils.host.disk import free_bytes, gigabytes
from utils.host.errors import SourceError
from utils.sources.storage.archive import unpack
from utils.sources.storage.scrub import explained, shown

if TYPE_CHECKING:
    import requests

# Files that are a source as they are: ready graphs, and labels.
SINGLE_FILES = (".onnx", ".pb", ".json")
_DIGEST = re.compile(r"sha256=([0-9a-fA-F]{64})")
# Seconds to connect, and between bytes.
_TIMEOUT = (10.0, 20.0)
_CHUNK = 1 << 20


def resolve(locator: str) -> str:
    """`sha256:` and the digest of the reference. Nothing is requested: no other content is accepted."""
    return f"sha256:{_parsed(locator)[1]}"


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """Downloads, checks and extracts the file below `destination`; returns the folder with its files."""
    del revision, patterns  # the digest is in the locator, and the first call fetches the whole archive
    address, digest = _parsed(locator)
    files, complete = destination / "files", destination / "complete"
    if complete.is_file():
        return Path(complete.read_text())
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    name = PurePosixPath(unquote(urlsplit(address).path)).name or "download"
    download = files / name if name.endswith(SINGLE_FILES) else destination / "download"
    with explained(partial(_sentence, address)):
        _download(address, digest, download)
    folder = files
    if not name.endswith(SINGLE_FILES):
        folder = unpack(download, files, shown(address))
        download.unlink()
    complete.write_text(str(folder))
    return folder


def _parsed(locator: str) -> tuple[str, str]:
    """(address without the digest, digest in lower case)"""
    parts = urlsplit(f"https:{locator}")
    address = urlunsplit(parts._replace(fragment=""))
    if not locator.startswith("//") or not parts.hostname:
        raise SourceError(f"'https:{locator}' is not an address; write https://host/path/model.tar.gz#sha256=HEX")
    if parts.username is not None:
        raise SourceError(f"{shown(address)} must not contain a login; write it to ~/.netrc, which is read")
    match = _DIGEST.fullmatch(parts.fragment)
    if not match:
        raise SourceError(
            f"{shown(address)} has no digest; write {shown(address)}#sha256=HEX with the 64 digits that "
            "`sha256sum FILE` prints for a copy that you trust"
        )
    return address, match[1].lower()


def _download(address: str, digest: str, file: Path) -> None:
    import requests

    limit = free_bytes(file.parent)
    computed = hashlib.sha256()
    with (
        requests.get(address, stream=True, timeout=_TIMEOUT) as response,
        file.open("wb") as to,
    ):
        _require_served(address, response)
        announced = int(response.headers.get("Content-Length") or 0)
        size = announced
        # As stored: some servers mark a .tar.gz as an encoded .tar, and clients then extract it.
        for chunk in response.raw.stream(_CHUNK, decode_content=False) if announced < limit else ():
            size = max(announced, to.tell() + len(chunk))
            if size >= limit:
                break
            computed.update(chunk)
            to.write(chunk)
    if size >= limit:
        raise SourceError(f"{shown(address)} is larger than the free disk space ({gigabytes(limit)}); free some")
    if computed.hexdigest() != digest:
        raise SourceError(
            f"{shown(address)} has the digest sha256={computed.hexdigest()} ({size} bytes), not sha256={digest}; if "
            "the file was replaced on purpose, write its new digest"
        )


def _require_served(address: str, response: "requests.Response") -> None:
    if not all(each.url.startswith("https://") for each in [*response.history, response]):
        raise SourceError(f"{shown(address)} redirects to an address without TLS; use one that ends at https://")
    status = response.status_code
    if status in (401, 403, 407):
        raise SourceError(f"{shown(address)} cannot be read without a login ({status}); write it to ~/.netrc")
    if status in (404, 410):
        raise SourceError(f"{shown(address)} does not exist ({status}); check the address")
    if status != 200:
        raise SourceError(f"the server answered {status} for {shown(address)}; run the same command again later")


def _sentence(address: str, error: Exception) -> str | None:
    import requests
    import urllib3

    late = "does not answer in time; check the network, then run the same command again"
    reasons: dict[type[Exception], str] = {
        requests.exceptions.ProxyError: "cannot be reached through the proxy; check HTTPS_PROXY and NO_PROXY",
        requests.Timeout: late,
        requests.ConnectionError: "cannot be reached, or the connection was lost; check the network and HTTPS_PROXY",
        requests.RequestException: "cannot be requested; check the address",
        urllib3.exceptions.ReadTimeoutError: late,
        urllib3.exceptions.HTTPError: "was not received whole: the connection was lost; run the same command again",
    }
    if reason := next((text for kind, text in reasons.items() if isinstance(error, kind)), None):
        return f"{shown(address)} {reason} ({type(error).__name__})"
    if isinstance(error, OSError):
        return f"{shown(address)} cannot be downloaded ({error}); check SSL_CERT_FILE, REQUESTS_CA_BUNDLE and the disk"
    return None
