"""A guard, and a server behind it in the place of Triton, which answers whatever a test wants."""

import contextlib
import json
import socket
import threading

from deploy.supervisor.body_limits import Rules
from deploy.supervisor.guard import Guard

LIMIT = 200_000
RULES = Rules(LIMIT, may_classify=False)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Upstream:
    """Takes every request in full, notes it, and answers `answer`; b"" ends the connection."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.requests, self.answer = [], OK
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection, _ = self.listening.accept()
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection):
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


def _end(content):
    head, found, body = content.partition(b"\r\n\r\n")
    if not found:
        return None
    if b"chunked" in head:
        return len(content) if content.endswith(b"0\r\n\r\n") else None
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), 0)
    return len(head) + 4 + length if len(body) >= length else None


def guarded(upstream, rules=RULES, **options):
    """A client's address."""
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=Guard(listening, upstream, rules, **options).run, daemon=True).start()
    return listening.getsockname()


def read(connection, count=1):
    """So many answers, or what there is when the connection ends."""
    content = b""
    while content.count(b"HTTP/1.1 ") < count or not content.endswith((b"ok", b"}", b"0\r\n\r\n")):
        more = connection.recv(1 << 16)
        if not more:
            break
        content += more
    return content


def post(body, *headers, path="/v2/models/m/infer"):
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def refusal(connection):
    """(status, sentence); the connection ends after it."""
    content = b""
    while more := connection.recv(1 << 16):
        content += more
    head, _, body = content.partition(b"\r\n\r\n")
    assert b"Connection: close" in head and b"application/json" in head
    return int(head.split()[1]), json.loads(body)["error"]
