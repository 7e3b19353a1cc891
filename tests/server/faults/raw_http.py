"""HTTP without a client library: sends bytes to a port and parses the responses."""

import contextlib
import socket
from collections.abc import Iterable, Mapping

from tests.server.faults.target import Target
from utils.diagnosis.target import Reply


def connect(target: Target, timeout: float = 30) -> socket.socket:
    host, port = target.server.address.http.split(":")
    return socket.create_connection((host, int(port)), timeout)


def infer_request(target: Target, body: bytes, *headers: str) -> bytes:
    lines = [f"POST /v2/models/{target.model}/infer HTTP/1.1", "Host: a", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def exchange(target: Target, parts: Iterable[bytes], *, silence: float = 30.0) -> list[Reply]:
    """Sends all, then reads until the server closes the connection or is silent; returns its Replies."""
    content = b""
    with connect(target) as connection, contextlib.suppress(OSError):
        with contextlib.suppress(ConnectionError):  # an answer may lie there all the same
            for part in parts:
                connection.sendall(part)
        connection.settimeout(silence)
        while more := connection.recv(1 << 16):
            content += more
    return replies(content)


def replies(content: bytes) -> list[Reply]:
    """The complete responses. Raises AssertionError for anything that is not HTTP/1.1."""
    found = []
    while b"\r\n\r\n" in content:
        head, _, rest = content.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        assert first.startswith(b"HTTP/1."), content[:200]
        status = int(first.split()[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        body, content = _chunks(rest) if b"transfer-encoding" in headers else _sized(rest, headers)
        if body is None:
            break
        if status >= 200:
            found.append(Reply(status, body))
    return found


def _sized(rest: bytes, headers: Mapping[bytes, bytes]) -> tuple[bytes | None, bytes]:
    length = int(headers.get(b"content-length", 0))
    return (rest[:length], rest[length:]) if len(rest) >= length else (None, b"")


def _chunks(rest: bytes) -> tuple[bytes | None, bytes]:
    body = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if len(rest) < length + 2:
            break
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            return body, rest
    return None, b""
