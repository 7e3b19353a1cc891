"""The base of the loopback servers: threads, a free port, a list of requests, and a hang that ends with the server."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

LONGEST_HANG = 120.0
Loopback = TypeVar("Loopback", bound="LoopbackServer")


class Answering(BaseHTTPRequestHandler, ABC):
    """One request; subclasses write `answer`. Keeps connections open, as real servers do."""

    protocol_version = "HTTP/1.1"
    loopback: "LoopbackServer"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.loopback.requests.append((self.command, self.path, self.headers.get("Authorization")))
        self.answer()

    do_HEAD = do_POST = do_GET

    @abstractmethod
    def answer(self) -> None:
        """Writes the response to the request in `command`, `path` and `body`."""

    def log_message(self, *_arguments: object) -> None:
        """The server writes no log: tests read the output of clients."""

    def hang(self) -> None:
        """Accepts and never answers, until the server closes."""
        self.loopback.closing.wait(LONGEST_HANG)
        self.close_connection = True

    def drop(self) -> None:
        """Closes the connection without a response."""
        self.close_connection = True

    def send_json(self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_content(json.dumps(content).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def send_content(
        self,
        content: bytes,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        announced: int | None = None,
    ) -> None:
        """`announced`: another Content-Length, or -1 for none; the connection ends after the content."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if announced != -1:
            self.send_header("Content-Length", str(len(content) if announced is None else announced))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        if announced is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_arguments: object) -> None:
        """No traceback: many tests break connections on purpose."""


class LoopbackServer:
    """A context manager: serves while the block runs."""

    answering: type[Answering]

    def __init__(self, fault: str | None = None) -> None:
        self.fault = fault
        self.requests: list[tuple[str, str, str | None]] = []
        self.closing = threading.Event()

    def __enter__(self: Loopback) -> Loopback:
        self.listen(0)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_exception: object) -> None:
        self.closing.set()
        self.stop_listening()

    def listen(self, port: int) -> None:
        """Accepts connections on this port; 0 is a free one."""
        bound = type("Bound", (self.answering,), {"loopback": self})
        self._server = _Server(("127.0.0.1", port), bound)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop_listening(self) -> None:
        """Refuses connections from now on."""
        self._server.shutdown()
        self._server.server_close()
