"""A guard, and a stand-in for Triton behind it, which sends the response that a test chooses."""

import contextlib
import json
import re
import socket
import threading
from typing import Any

from deploy.supervisor.body_limits import Rules
from deploy.supervisor.guard import Guard

LIMIT = 200_000
RULES = Rules(LIMIT, may_classify=False)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Upstream:
    """Records every complete request and responds with `answer`; b"" ends the connection.

    It listens at `address`, which another socket may have reserved with SO_REUSEPORT.
    """

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.listening = socket.create_server(address, reuse_port=True)
        self.requests: list[bytes] = []
        self.answer = OK
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self.listening.accept()
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        content = b""
        with connection, contextlib.suppress(ConnectionError):
            while more := connection.recv(1 << 20):
                content += more
                while (end := _end(content)) is not None:
                    self.requests.append(content[:end])
                    content = content[end:]
                    if not self.answer:
                        return
                    connection.sendall(self.answer)


def _end(content: bytes) -> int | None:
    head, found, body = content.partition(b"\r\n\r\n")
    if not found:
        return None
    if b"chunked" in head:
        return len(content) if content.endswith(b"0\r\n\r\n") else None
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), 0)
    return len(head) + 4 + length if len(body) >= length else None


def guarded(upstream: tuple[str, int], rules: Rules = RULES, **options: Any) -> tuple[str, int]:
    """Starts a guard before `upstream`; the address for clients."""
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=Guard(listening, upstream, rules, **options).run, daemon=True).start()
    host, port = listening.getsockname()
    return host, port


def without_id(content: bytes) -> bytes:
    """The responses as the server sent them: the guard adds one header to each."""
    return re.sub(rb"\r\nX-Request-Id: [^\r]+(?=\r\n)", b"", content)


def read(connection: socket.socket, count: int = 1) -> bytes:
    """The bytes of `count` responses without their ids, or of those before the connection ended."""
    content = b""
    while content.count(b"HTTP/1.1 ") < count or not content.endswith((b"ok", b"}", b"0\r\n\r\n")):
        more = connection.recv(1 << 16)
        if not more:
            break
        content += more
    return without_id(content)


def post(body: bytes, *headers: str, path: str = "/v2/models/m/infer") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def refusal(connection: socket.socket) -> tuple[int, str]:
    """(status, message); the connection ends after it."""
    content = b""
    while more := connection.recv(1 << 16):
        content += more
    head, _, body = content.partition(b"\r\n\r\n")
    assert b"Connection: close" in head and b"application/json" in head
    return int(head.split()[1]), str(json.loads(body)["error"])
