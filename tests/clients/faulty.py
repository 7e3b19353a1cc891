"""A server on 127.0.0.1 that answers as a V2 inference server, after the faults that a test asks for.

It stands for Triton where Triton cannot be made to fail on demand. Its model labels a text with its length.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

METADATA = {
    "name": "lengths",
    "versions": ["1"],
    "platform": "python",
    "inputs": [{"name": "text_input", "datatype": "BYTES", "shape": [-1, 1]}],
    "outputs": [
        {"name": "predicts", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "scores", "datatype": "FP32", "shape": [-1, 1]},
    ],
}
CUT, RESET, HANG, SLOW = "cut", "reset", "hang", "slow"


class Faulty(ThreadingHTTPServer):
    """`faults`: what the next inference requests get, first to last, before the answers are right.

    A fault is (status, words, headers), or CUT (half of an answer), RESET (no answer), HANG (no answer for 30 s), SLOW
    (an answer that takes 30 s). `requests`: the paths, headers and sizes of all inference requests.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[Any] = []
        self.refuses: str | None = None  # a text that gets status 400
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.stopping = threading.Event()
        self.metadata = METADATA
        self.limit = 4
        self.delay = 0.0  # seconds for a right answer

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Faulty

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Metadata; the config is restricted, as in the image."""
        if self.path.endswith("/config"):
            self._send(403, {"error": "This API is restricted, expecting header 'admin-key'"})
        elif self.path.startswith("/v2/models/lengths"):
            self._send(200, self.server.metadata)
        else:
            self._send(404, {"error": "Request for unknown model: 'x' is not found"})

    def do_POST(self) -> None:
        """Inference."""
        content = self.rfile.read(size := int(self.headers["content-length"]))
        if len(content) < size:  # the client was killed
            return
        if self.path == "/v2/repository/index":
            self._send(403, {"error": "This API is restricted, expecting header 'admin-key'"})
            return
        document = json.loads(content)
        texts = document["inputs"][0]["data"]
        self.server.requests.append({"path": self.path, "headers": dict(self.headers), "texts": texts})
        self.server.times.append(time.monotonic())
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault is not None:
            self._fail(fault)
        elif len(texts) > self.server.limit:
            words = (
                f"[request id: <id_unknown>] inference request batch-size must be <= {self.server.limit} for 'lengths'"
            )
            self._send(400, {"error": words})
        elif self.server.refuses in texts:
            self._send(400, {"error": f"the text {self.server.refuses!r} is refused"})
        else:
            time.sleep(self.server.delay)
            self._send(200, self._answer(texts))

    def _answer(self, texts: list[str]) -> dict[str, Any]:
        shape = [len(texts), 1]
        labels = {"name": "predicts", "datatype": "BYTES", "shape": shape, "data": [str(len(text)) for text in texts]}
        scores = {"name": "scores", "datatype": "FP32", "shape": shape, "data": [0.5] * len(texts)}
        return {"model_name": "lengths", "outputs": [labels, scores]}

    def _fail(self, fault: Any) -> None:
        self.close_connection = True
        if fault == RESET:
            return
        if fault == HANG:
            self.server.stopping.wait(30)
            return
        if fault in (CUT, SLOW):
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            for _ in range(1 if fault == CUT else 300):
                with contextlib.suppress(OSError):
                    self.wfile.write(b"{")
                if fault == SLOW and self.server.stopping.wait(0.1):
                    return
            return
        status, words, headers = fault
        self._send(status, {"error": words}, headers)

    def _send(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def faulty() -> Iterator[Faulty]:
    """The server, for the duration of the block."""
    server = Faulty()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
