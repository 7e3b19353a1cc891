"""A proxy in front of a real registry, which refuses, lies or stops when a test says so.

with FaultyRegistry(registry.host) as proxy:
    proxy.fault = "wrong manifest"
    proxy.repository
"""

import http.client
import re
import socket

from tests.loopback.serving import Answering, LoopbackServer

FAULTS = {
    "",
    "401",  # credentials are refused
    "403",  # these may not push
    "500",
    "full",  # starts uploads and refuses their content
    "no registry",  # another web server
    "hang",  # accepts and never answers
    "hang on blobs",  # answers, and takes no content
    "wrong manifest",  # gives another manifest than it has, with the right digest in the header
    "wrong digest",  # says another digest of what it stored
    "half a manifest",
    "drop",  # ends the connection instead of storing a manifest
}
OTHER = "sha256:" + "0" * 64
_REFUSALS = {"401": "UNAUTHORIZED", "403": "DENIED", "500": "UNKNOWN"}


class _Proxy(Answering):
    loopback: "FaultyRegistry"

    def handle(self) -> None:
        """A client that begins with TLS gets no answer, as from Go's server: its first byte is 0x16."""
        if self.connection.recv(1, socket.MSG_PEEK) != b"\x16":
            super().handle()

    def answer(self) -> None:
        fault = self.loopback.fault or ""
        manifest = "/manifests/" in self.path
        if fault == "hang" or (fault == "hang on blobs" and self.command in ("PATCH", "PUT") and not manifest):
            self.hang()
        elif fault == "full" and self.command in ("PATCH", "PUT"):
            self.send_json({"errors": [{"code": "DENIED", "message": "quota exceeded"}]}, 403)
        elif fault in _REFUSALS and self.path != "/v2/":
            self.send_json({"errors": [{"code": _REFUSALS[fault], "message": "as the test wants"}]}, int(fault))
        elif fault == "no registry":
            self.send_content(b"<html>welcome</html>", 404)
        elif fault == "drop" and manifest and self.command == "PUT":
            self.drop()
        else:
            self._forward(fault if manifest else "")

    def do_GET(self) -> None:
        """Docker's engine sends blobs in chunks."""
        self.chunks = self._read_chunks() if self.headers.get("Transfer-Encoding") == "chunked" else b""
        super().do_GET()

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def _read_chunks(self) -> bytes:
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _forward(self, fault: str) -> None:
        upstream = http.client.HTTPConnection(self.loopback.upstream, timeout=60)
        dropped = ("connection", "transfer-encoding", "content-length")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        upstream.request(self.command, self.path, self.chunks or self.body, headers)
        response = upstream.getresponse()
        content = response.read()
        upstream.close()
        kept = {name: value for name, value in response.getheaders() if name.lower() != "content-length"}
        announced = None
        if fault == "wrong manifest" and self.command == "GET" and response.status == 200:
            content = content.replace(b'"schemaVersion"', b' "schemaVersion"')
        elif fault == "wrong digest" and "Docker-Content-Digest" in kept:
            kept["Docker-Content-Digest"] = OTHER
        elif fault == "half a manifest" and self.command == "GET":
            content, announced = content[: len(content) // 2], len(content)
        if self.command == "HEAD":
            announced = int(response.getheader("Content-Length") or 0)
        self.send_content(content, response.status, kept, announced=announced)


class FaultyRegistry(LoopbackServer):
    """Forwards to the registry at `upstream`; `fault` is one of FAULTS and can be changed while it serves."""

    answering = _Proxy

    def __init__(self, upstream: str) -> None:
        super().__init__("")
        self.upstream = upstream

    @property
    def host(self) -> str:
        """The proxy's own address."""
        return self.url.removeprefix("http://")

    @property
    def repository(self) -> str:
        """As LoopbackRegistry.repository, through the proxy."""
        return f"{self.host}/team/topics"

    def pushed(self) -> list[str]:
        """The tags and digests of manifests that clients tried to store, in order."""
        found = (re.search(r"/manifests/(.+)", path) for method, path, _ in self.requests if method == "PUT")
        return [match[1] for match in found if match]
