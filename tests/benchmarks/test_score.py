"""benchmarks.score beside what `score` prints, on a loopback server."""

import csv

from benchmarks.loads import Load
from benchmarks.score import score, write
from tests.clients.faulty import faulty


def test_it_reads_the_speed_that_score_prints(tmp_path):
    load = Load(texts="mixed", protocol="http", clients=4, batch=8)
    write(tmp_path / "in.csv", load, 2100)
    with faulty() as server:
        server.limit = 8
        speed = score(server.url, "lengths", load, tmp_path / "in.csv", tmp_path / "out.csv")
        assert max(len(request["texts"]) for request in server.requests) == 8
    assert speed > 0
    with (tmp_path / "out.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2100
