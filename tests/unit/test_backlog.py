import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy.supervisor import backlog


@pytest.fixture
def metrics():
    """A server that says how many requests wait for each of two steps."""

    class Handler(BaseHTTPRequestHandler):
        waiting = (0, 0)

        def do_GET(self):
            lines = [
                f'nv_inference_pending_request_count{{model="m{place}",version="1"}} {count}\n'
                for place, count in enumerate(self.waiting)
            ]
            self.send_response(200)
            self.end_headers()
            self.wfile.write("".join(['nv_inference_count{model="m0",version="1"} 9000\n', *lines]).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, Handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_longest_queue_decides_and_it_must_be_short_again(metrics, tmp_path):
    port, said = metrics
    watched = backlog.Backlog(port, str(tmp_path / "refusing"))
    seen = []
    for said.waiting in ((0, 256), (0, 257), (200, 65), (65, 0), (64, 0), (64, 200)):
        watched.look()
        seen.append(Path(watched.file).exists())
    assert seen == [False, True, True, True, False, False]


def test_a_server_that_does_not_say_changes_nothing(metrics, tmp_path):
    port, said = metrics
    watched = backlog.Backlog(port, str(tmp_path / "refusing"))
    said.waiting = (300, 0)
    watched.look()
    watched._metrics_port = 1
    watched.look()
    assert watched.refuses and Path(watched.file).exists()
    watched.end()
    assert not Path(watched.file).exists()
