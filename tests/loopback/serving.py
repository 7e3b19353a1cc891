"""What the loopback servers share: threads, port 0, a list of the requests, a way to hang that ends with the server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LONGEST_HANG = 120.0


class Answering(BaseHTTPRequestHandler):
    """One request; subclasses write `answer`. Keeps connections open, as real servers do."""

    protocol_version = "HTTP/1.1"
    loopback: "LoopbackServer"

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.loopback.requests.append((self.command, self.path, self.headers.get("Authorization")))
        self.answer()

    do_HEAD = do_POST = do_GET

    def answer(self):
        raise NotImplementedError

    def log_message(self, *_arguments):
        """Tests read what the clients print; the server stays silent."""

    def hang(self):
        """Accepts and never answers, until the server closes."""
        self.loopback.closing.wait(LONGEST_HANG)
        self.close_connection = True

    def drop(self):
        """Closes the connection without a word."""
        self.close_connection = True

    def send_json(self, content, status=200, headers=None):
        self.send_content(json.dumps(content).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def send_content(self, content, status=200, headers=None, *, announced=None):
        """`announced`: a Content-Length other than the true one; the connection ends after the content then."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if announced is None else announced))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        if announced is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_arguments):
        """A client that is killed or gives up leaves a broken connection; that is what many tests are for."""


class LoopbackServer:
    """A context manager: serves while the block runs."""

    answering: type[Answering]

    def __init__(self, fault: str | None = None):
        self.fault = fault
        self.requests: list[tuple[str, str, str | None]] = []
        self.closing = threading.Event()

    def __enter__(self):
        bound = type("Bound", (self.answering,), {"loopback": self})
        self._server = _Server(("127.0.0.1", 0), bound)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
