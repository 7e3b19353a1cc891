import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy.supervisor import backlog


@pytest.fixture
def metrics():
    """A server that reports the queued requests of two steps."""

    class Handler(BaseHTTPRequestHandler):
        waiting, answered = (0, 0), 9000

        def do_GET(self):
            lines = [
                f'nv_inference_pending_request_count{{model="m{place}",version="1"}} {count}\n'
                for place, count in enumerate(self.waiting)
            ]
            self.send_response(200)
            self.end_headers()
            lines.append(f'nv_inference_request_success{{model="m0",version="1"}} {self.answered}\n')
            self.wfile.write("".join(lines).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, Handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_longest_queue_starts_and_ends_the_refusal(metrics, tmp_path):
    port, message = metrics
    watched = backlog.Backlog(port, str(tmp_path / "refusing"))
    seen = []
    for message.waiting in ((0, 256), (0, 257), (200, 65), (65, 0), (64, 0), (64, 200)):
        watched.update()
        seen.append(Path(watched.file).exists())
    assert seen == [False, True, True, True, False, False]


def test_without_metrics_nothing_changes(metrics, tmp_path):
    port, message = metrics
    watched = backlog.Backlog(port, str(tmp_path / "refusing"))
    message.waiting = (300, 0)
    watched.update()
    assert not watched.is_empty()
    watched._metrics_port = 1
    watched.update()
    assert watched.is_refusing and Path(watched.file).exists()
    assert watched.is_empty()
    watched.stop_refusing()
    assert not Path(watched.file).exists()


def test_a_slow_model_refuses_earlier(metrics, tmp_path, monkeypatch):
    """After ten busy seconds with fewer answers than queued requests; a burst after an idle time does not count."""
    port, message = metrics
    watched = backlog.Backlog(port, str(tmp_path / "refusing"))
    clock = []
    monkeypatch.setattr(backlog.time, "monotonic", lambda: clock[-1])
    seen = []
    for moment, message.waiting, message.answered in (
        (100.0, (0, 0), 0),
        (105.0, (70, 0), 0),
        (110.0, (70, 0), 40),
        (115.0, (70, 0), 80),
        (120.0, (90, 0), 120),
        (121.0, (64, 0), 121),
        (122.0, (0, 0), 121),
        (140.0, (90, 0), 121),
    ):
        clock.append(moment)
        watched.update()
        seen.append(watched.is_refusing)
    assert seen == [False, False, False, False, True, False, False, False]
