"""Azure Blob Storage on loopback: one account with a container of blobs, listed in pages of two.

    with AzureServer({"team/topics/config.json": b"{}"}) as server:
        server.connection_string(server.url)

Written from the REST reference of the service. It checks the signature of requests by shared key and knows two of them:
List Blobs and Get Blob. So it hides the refusals by role or network rule, tokens of Entra ID, soft deletion, versions,
snapshots and encryption scopes of the real service.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.loopback.serving import Answering, LoopbackServer

ACCOUNT, CONTAINER = "loopback", "models"
KEY = base64.b64encode(b"loopback account key, never printed").decode()
PAGE = 2
SIGNED_HEADERS = (
    *("Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date"),
    *("If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"),
)


class _Azure(Answering):
    loopback: "AzureServer"

    def answer(self) -> None:
        parts = urlsplit(self.path)
        query = {name.lower(): values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        _, account, container, *rest = unquote(parts.path).split("/", 3)
        if self.headers.get("Authorization") != f"SharedKey {ACCOUNT}:{self._signature(parts.path, query)}":
            self._refuse(403, "AuthenticationFailed")
        elif (account, container) != (ACCOUNT, CONTAINER):
            self._refuse(404, "ContainerNotFound")
        elif query.get("comp") == "list":
            self._list(query)
        elif rest and rest[0] in self.loopback.blobs:
            self._blob(self.loopback.blobs[rest[0]])
        else:
            self._refuse(404, "BlobNotFound")

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        """Source: "Authorize with Shared Key", Blob service, version 2015-02-21 and later."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        own = sorted(name for name in headers if name.startswith("x-ms-"))
        lines = [self.command, *(headers.get(name.lower(), "") for name in SIGNED_HEADERS)]
        lines += [f"{name}:{headers[name]}" for name in own]
        lines += [f"/{ACCOUNT}{path}", *(f"{name}:{query[name]}" for name in sorted(query))]
        digest = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()

    def _list(self, query: Mapping[str, str]) -> None:
        names = sorted(name for name in self.loopback.blobs if name.startswith(query.get("prefix", "")))
        start = int(query.get("marker") or 0)
        blobs = "".join(map(self._described, names[start : start + PAGE]))
        more = str(start + PAGE) if len(names) > start + PAGE else ""
        content = f"<Blobs>{blobs}</Blobs><NextMarker>{more}</NextMarker>"
        self._send_xml(f'<EnumerationResults ContainerName="{CONTAINER}">{content}</EnumerationResults>')

    def _described(self, name: str) -> str:
        content = self.loopback.blobs[name]
        properties = {
            "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
            "Etag": _etag(content),
            "Content-Length": len(content),
            "Content-MD5": base64.b64encode(_md5(content)).decode(),
            "BlobType": "BlockBlob",
        }
        listed = "".join(f"<{key}>{value}</{key}>" for key, value in properties.items())
        return f"<Blob><Name>{escape(name)}</Name><Properties>{listed}</Properties></Blob>"

    def _blob(self, content: bytes) -> None:
        headers = {"ETag": _etag(content), "x-ms-blob-type": "BlockBlob"}
        requested = self.headers.get("x-ms-range") or self.headers.get("Range")
        if not requested:
            self.send_content(content, 200, headers)
        elif not content:
            self._refuse(416, "InvalidRange")
        else:
            first, last = (int(number) for number in requested.removeprefix("bytes=").split("-"))
            part = content[first : last + 1]
            headers["Content-Range"] = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
            self.send_content(part, 206, headers)

    def _refuse(self, status: int, code: str) -> None:
        self._send_xml(
            f"<Error><Code>{code}</Code><Message>Refused.</Message></Error>", status, {"x-ms-error-code": code}
        )

    def _send_xml(self, text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        content = f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()
        self.send_content(content, status, {"Content-Type": "application/xml", **(headers or {})})


class AzureServer(LoopbackServer):
    """Serves `blobs` ({name: content}, which may be changed) in the container CONTAINER of the account ACCOUNT."""

    answering = _Azure

    def __init__(self, blobs: Mapping[str, bytes]) -> None:
        super().__init__()
        self.blobs = dict(blobs)

    def connection_string(self, address: str, key: str = KEY) -> str:
        """For a client that reaches the server at `address`."""
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={address}/{ACCOUNT};"


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def _etag(content: bytes) -> str:
    return f'"0x{_md5(content).hex()[:15].upper()}"'
