"""The measurement after the proof, against a server that answers at once."""

import http.server
import threading

import pytest

from utils.host.progress import WARNINGS
from utils.proof import latency, measured
from utils.proof.golden import GoldenAnswers, GoldenRow, texts
from utils.proof.golden_file import write_golden
from utils.repository.pipeline import Pipeline
from utils.triton.address import ServerAddress

PIPELINE = Pipeline(model_name="m", max_batch_size=4, layout="fused", inputs=(), outputs=(), steps=())


def row(text, model="m"):
    return GoldenRow(model=model, batched=True, inputs={"x": texts([text])}, outputs={"y": texts(["b"])})


@pytest.fixture
def serving(monkeypatch):
    """(its address, the paths and bodies it got, a list whose last element is the status it answers with)."""
    monkeypatch.setattr(latency, "SECONDS", 0.1)
    got, statuses = [], [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses[-1])
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield ServerAddress(http=f"127.0.0.1:{server.server_port}", grpc=""), got, statuses
        server.shutdown()
        thread.join()


def write(tree):
    rows = (row("a"), row("the usual one"), row("b" * 500), row("c" * 20, model="another"))
    write_golden(GoldenAnswers(rows=rows, comparison="tensors"), tree)


def test_it_is_recorded_for_one_client_and_for_eight(serving, tmp_path, capsys):
    address, got, _ = serving
    write(tmp_path)
    measured.add(tmp_path, peak_memory_bytes=7)
    latency.measure_and_record(address, tmp_path, PIPELINE)
    found = measured.read(tmp_path)
    assert [each.clients for each in found.latencies] == [1, 8]
    for each in found.latencies:
        assert each.requests >= each.clients
        assert 0 < each.median <= each.percentile_95 < 1
        assert each.per_second > each.clients
    assert found.peak_memory_bytes == 7, "what was known before stays"
    assert found.characters == len("the usual one")
    assert " CPU" in found.machine
    assert "at 1 client, " in capsys.readouterr().err
    assert {path for path, _ in got} == {"/v2/models/m/infer"}
    assert all(b"the usual one" in body for _, body in got), "the request of median length, of the served model"


def test_a_failed_request_is_a_warning(serving, tmp_path):
    address, _, statuses = serving
    statuses.append(503)
    write(tmp_path)
    latency.measure_and_record(address, tmp_path, PIPELINE)
    assert "the latency was not measured" in WARNINGS[-1] and "503" in WARNINGS[-1]
    assert measured.read(tmp_path).latencies == ()
