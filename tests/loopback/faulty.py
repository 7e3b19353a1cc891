"""A proxy on loopback between a real client and a working server; it adds a fault to the server's answers.

    with FaultyProxy(server.url, files=r"/files/.*", secrets=("the-key",)) as proxy:
        with proxy.failing("half a file"):
            ...

`files` matches the path and query of the requests that return the content of a file.
"""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from tests.loopback.serving import Answering, LoopbackServer

PAUSE = 0.5  # seconds between two bytes of a slow file
NOT_FORWARDED = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}

# For every request. A number is the status of the answer.
GATEWAY = "error of a gateway"
OF_THE_SERVER = ("unreachable", "lost connection", "hang", "401", "403", "429", "500", "other content", GATEWAY)
# For the content of files only.
OF_FILES = (
    *("lost connection for files", "hang for files", "403 for files", "500 for files"),
    *("half a file", "short file", "changed byte"),
)
SLOW = "slow file"


class _Faulty(Answering):
    loopback: "FaultyProxy"

    def handle(self) -> None:
        """Without TLS, a client that begins with it gets no answer: its first byte is 0x16."""
        if isinstance(self.connection, ssl.SSLSocket) or self.connection.recv(1, socket.MSG_PEEK) != b"\x16":
            super().handle()

    def answer(self) -> None:
        fault = self.loopback.fault or ""
        is_file = self.command != "HEAD" and self.loopback.files.fullmatch(self.path) is not None
        if fault.endswith(" for files"):
            fault = fault.removesuffix(" for files") if is_file else ""
        if fault in ("unreachable", "lost connection"):
            self.drop()
        elif fault == "hang":
            self.hang()
        elif fault == "other content":
            self.send_content(b"<html>welcome</html>", 200, {"Content-Type": "text/html"})
        elif fault == GATEWAY:
            self.send_json({"error": "no healthy upstream"}, 502)
        elif fault.isdigit():
            # A server may repeat the keys of a request in its message.
            text = f"these keys are refused: {', '.join(self.loopback.secrets)}"
            self.send_content(text.encode(), int(fault), {"Content-Type": "text/plain"})
        else:
            self._forward(fault if is_file else "")

    def _forward(self, fault: str) -> None:
        backend = HTTPConnection(self.loopback.backend, timeout=60)
        try:
            backend.request(self.command, self.path, self.body or None, dict(self.headers))
            response = backend.getresponse()
            content = response.read()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in NOT_FORWARDED}
            length = int(response.headers.get("Content-Length") or -1)
        finally:
            backend.close()
        if not self.loopback.files.fullmatch(self.path):
            # Addresses in answers are those of the server behind.
            content = self.loopback.with_own_address(content)
        self._send(fault, content, response.status, headers, length)

    def _send(self, fault: str, content: bytes, status: int, headers: dict[str, str], length: int) -> None:
        half = len(content) // 2
        if self.command == "HEAD":
            self.send_content(b"", status, headers, announced=length)
        elif fault == "half a file":
            self.send_content(content[:half], status, headers, announced=len(content))
        elif fault == "short file":
            self.send_content(content[:half], status, headers)
        elif fault == "changed byte":
            self.send_content(content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :], status, headers)
        elif fault == SLOW:
            self.send_content(content[:1], status, headers, announced=len(content))
            for place in range(1, len(content)):
                if self.loopback.closing.wait(PAUSE):
                    return
                self.wfile.write(content[place : place + 1])
        else:
            self.send_content(content, status, headers, announced=None if length >= 0 else -1)


class FaultyProxy(LoopbackServer):
    """`fault` is one of OF_THE_SERVER and OF_FILES, SLOW, or None. With a `certificate` (and key), it has TLS."""

    answering = _Faulty

    def __init__(
        self, backend: str, *, files: str, secrets: Iterable[str] = (), certificate: tuple[Path, Path] | None = None
    ) -> None:
        super().__init__()
        self.backend = urlsplit(backend).netloc
        self.files, self.secrets = re.compile(files), tuple(secrets)
        self._backend_url, self._certificate = backend, certificate

    @contextlib.contextmanager
    def failing(self, fault: str) -> Iterator[None]:
        """Has this fault inside the block."""
        self.fault = fault
        port = urlsplit(self.url).port or 0
        if fault == "unreachable":
            self.stop_listening()
        yield
        self.fault = None
        if fault == "unreachable":
            self.listen(port)

    def __enter__(self) -> "FaultyProxy":
        super().__enter__()
        if self._certificate:
            self.url = self.url.replace("http://", "https://")
        return self

    def listen(self, port: int) -> None:
        super().listen(port)
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def with_own_address(self, content: bytes) -> bytes:
        return content.replace(self._backend_url.encode(), self.url.encode())
