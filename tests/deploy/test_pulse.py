"""The repeated canary with a loopback server that answers like Triton with full shared memory.

The server here is no Triton: the one from PyPI is 24.10, and cannot say what releases from 25.07 on say. That the real
one says the older wording, and survives it, is tested in tests/image/test_faults.py.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.supervisor import canary, pulse
from deploy.supervisor.triton_errors import TRY_LESS
from tests.loopback.triton_sentences import NO_ROOM

TENSOR = {"name": "echo", "datatype": "BYTES", "shape": [1, 1], "data": ["a"]}
RIGHT = (200, json.dumps({"outputs": [TENSOR]}).encode())
FULL = [(status, text) for text in NO_ROOM.values() for status in (500, 503)] + [(503, TRY_LESS)]


@pytest.fixture
def server():
    """Answers each canary with `answer`, is always ready and has no metrics."""

    class Handler(BaseHTTPRequestHandler):
        answer, received = RIGHT, 0

        def do_GET(self):
            self.reply(200, b"")

        def do_POST(self):
            Handler.received += 1
            self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(*self.answer)

        def reply(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield listening.server_port, Handler
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def started(server, tmp_path, monkeypatch):
    """A pulse with a short period."""
    monkeypatch.setattr(pulse, "PERIOD", 0.02)
    monkeypatch.setattr(pulse, "REST_FACTOR", 0)
    tensor = {"datatype": "BYTES", "shape": [1], "data": ["a"]}
    row = {"model": "m", "batched": True, "inputs": {"text_input": tensor}, "outputs": {"echo": tensor}}
    golden = {"format": 2, "comparison": "tensors", "tolerance": 0.001, "rows": [row]}
    (tmp_path / "golden.json").write_text(json.dumps(golden))
    ours = pulse.Pulse(canary.load(str(tmp_path / "golden.json"), server[0]), server[0])
    yield ours
    ours.fault = ours.fault or "the test is over"
    ours.join()


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("status", "text"), FULL)
def test_full_shared_memory_is_no_fault_before_ready_or_after(server, started, status, text):
    handler = server[1]
    handler.answer = (status, text)
    started.start()
    until(lambda: handler.received > 10)
    assert (started.is_ready, started.fault) == (False, "")
    handler.answer = RIGHT
    until(lambda: started.is_ready)
    handler.answer = (status, text)
    received, began = handler.received, time.monotonic()
    until(lambda: handler.received > received + 10)
    assert (started.is_ready, started.fault) == (True, "")
    assert started.last_success > began, "an answer is a sign of life: the server does not hang"


@pytest.mark.parametrize("answer", [(500, b'{"error":"x"}'), (400, NO_ROOM["26.08"])])
def test_any_other_error_is_a_fault_after_two_in_a_row(server, started, answer):
    started.start()
    until(lambda: started.is_ready)
    server[1].answer = answer
    until(lambda: started.fault)
    assert "model m returns a wrong answer" in started.fault


def test_a_full_queue_is_no_success(server, started):
    """The first step refuses them, while the last one may hang."""
    started.start()
    until(lambda: started.is_ready)
    server[1].answer = (503, b'{"error":"too many requests wait for this model"}')
    received = server[1].received
    until(lambda: server[1].received > received + 2)
    sign = started.last_success
    until(lambda: server[1].received > received + 10)
    assert (started.last_success, started.fault) == (sign, "")
