"""The canary of an image takes at most 1% of one processor, whatever the size of the model's answers."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.supervisor import canary, pulse

LABELS = 20_000


@pytest.fixture
def server():
    """Answers like a multi-label classifier with LABELS labels; its own time does not count as the canary's."""
    names = [f"concept {number}" for number in range(LABELS)]
    scores = [1 - number / LABELS for number in range(LABELS)]
    outputs = {
        "predicts": {"datatype": "BYTES", "shape": [LABELS], "data": names},
        "scores": {"datatype": "FP32", "shape": [LABELS], "data": scores},
    }
    answer = {"outputs": [{"name": name, **each, "shape": [1, LABELS]} for name, each in outputs.items()]}
    content = json.dumps(answer).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening.server_port, outputs
        listening.shutdown()
        thread.join()


@pytest.fixture
def asking(server, tmp_path):
    port, outputs = server
    text = {"text_input": {"datatype": "BYTES", "shape": [1], "data": ["a"]}}
    row = {"model": "m", "batched": True, "inputs": text, "outputs": outputs}
    golden = {"format": 2, "rows": [row], "comparison": "ranking", "tolerance": 1e-3}
    (tmp_path / "golden.json").write_text(json.dumps(golden))
    return pulse.Pulse(canary.load(str(tmp_path / "golden.json"), port), metrics_port=1)


def test_the_period_is_150_times_the_duration_of_an_answer(asking):
    started = time.thread_time()
    assert asking._check(asking.canary.rows[0], seconds=60)
    used = time.thread_time() - started
    assert asking.fault == ""
    assert used / asking.period <= 0.01
    assert asking.extra_period > 0  # what the supervisor adds to its patience with an idle server


@pytest.mark.parametrize(
    ("elapsed", "idle", "period"), [(0.004, 0.004, 2.0), (0.05, 0.05, 7.5), (4.0, 0.05, 7.5), (0.02, 0.0, 3.0)]
)
def test_the_period_follows_the_answer_of_an_idle_server(asking, elapsed, idle, period):
    asking.idle_seconds = idle
    asking._set_period(elapsed)
    assert asking.period == pytest.approx(period)


def test_clients_are_polled_during_a_long_period(asking, monkeypatch):
    looks = []
    monkeypatch.setattr(pulse, "PERIOD", 0.02)
    monkeypatch.setattr(asking, "_poll_clients", lambda: looks.append(time.monotonic()))
    asking.period = 0.1
    asking._wait_for_next()
    assert len(looks) >= 3
