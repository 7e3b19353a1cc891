"""The guard's request lines. The server behind it is a stand-in: tests/server has the real one."""

import contextlib
import json
import os
import socket
import time
from pathlib import Path

import pytest

from deploy.supervisor import request_log
from deploy.supervisor.request_log import RequestLog
from tests.loopback.upstream import OK, Upstream, guarded, post, read, refusal

ANSWER = b'{"id":"x","model_name":"m","model_version":"3","outputs":[{"name":"a","datatype":"BYTES","shape":[2,1]}]}'
BODY = b'{"inputs":[]}'


class Log:
    """A guard that logs, its lines, and the pipe for the steps' reports."""

    def __init__(self, folder):
        self.times = str(folder / "times")
        os.mkfifo(self.times)
        self.output, write = os.pipe()
        os.set_blocking(self.output, False)
        self.upstream = Upstream()
        self.address = guarded(self.upstream.listening.getsockname(), log=RequestLog(write, self.times))
        self._content = b""

    def line(self):
        """The next one."""
        deadline = time.monotonic() + 10
        while b"\n" not in self._content and time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                self._content += os.read(self.output, 1 << 16)
            time.sleep(0.01)
        first, _, self._content = self._content.partition(b"\n")
        return json.loads(first)

    def report(self, *lines):
        Path(self.times).write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path)


@pytest.fixture
def client(log):
    with socket.create_connection(log.address, timeout=10) as made:
        yield made


def respond(log, body=ANSWER, status=b"200 OK"):
    log.upstream.answer = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def test_an_inference_request_makes_one_line(log, client):
    respond(log)
    client.sendall(post(BODY, "X-Request-Id: abc", path="/v2/models/m/infer"))
    read(client)
    found = log.line()
    assert found.pop("timestamp").endswith("Z") and found.pop("total_ms") > 0
    assert found == {
        "level": "info", "source": "request", "message": "inference", "protocol": "http", "id": "x",
        "x_request_id": "abc", "model": "m", "version": "3", "rows": 2, "status": 200, "bytes_in": len(BODY),
        "queue_ms": None, "compute_ms": None,
    }  # fmt: skip


def test_the_steps_reports_give_rows_and_times(log, client):
    """The reports of two steps, written before the response as the steps do; the second request has number 2."""
    respond(log)
    client.sendall(post(BODY) + post(BODY)[:-1])
    log.line()
    while len(log.upstream.requests) < 1:
        time.sleep(0.01)
    assert b"\r\nguard-request: 1\r\n\r\n" in log.upstream.requests[0]
    now = time.monotonic() + 1
    log.report([2, now, now + 0.01, 5], [2, now + 0.02, now + 0.05, 7])
    client.sendall(post(BODY)[-1:])
    found = log.line()
    assert (found["rows"], found["compute_ms"]) == (5, 50.0)
    assert 0 < found["queue_ms"] <= 1000


def test_a_request_over_grpc_has_the_line_of_its_step(log):
    log.report([0, 1.0, 1.002, 4, 400, "topics", "1", "abc"])
    found = log.line()
    assert found.pop("timestamp")
    assert found == {
        "level": "warning", "source": "request", "message": "inference", "protocol": "grpc", "id": "abc",
        "model": "topics", "version": "1", "rows": 4, "status": 400, "bytes_in": None, "total_ms": None,
        "queue_ms": None, "compute_ms": 2.0,
    }  # fmt: skip


def test_a_refused_request_has_the_reason(log, client):
    client.sendall(post(b"", "X-Request-Id: abc"))
    assert refusal(client)[0] == 400
    found = log.line()
    assert (found["status"], found["level"], found["id"], found["model"]) == (400, "warning", "abc", "m")
    assert "needs a body" in found["message"]


def test_the_guard_s_own_header_is_refused(log, client):
    client.sendall(post(BODY, "guard-request: 7"))
    assert refusal(client)[0] == 400
    assert "guard-request" in log.line()["message"]


def test_an_error_has_the_status_that_the_client_gets(log, client):
    respond(log, b'{"error":"attempt to get members for non-object"}', b"500 Internal Server Error")
    client.sendall(post(BODY))
    read(client)
    assert log.line()["status"] == 400


def test_a_client_that_leaves_has_status_499(log, client):
    client.sendall(post(BODY)[:-1])
    time.sleep(0.2)
    client.close()
    found = log.line()
    assert (found["status"], found["bytes_in"]) == (499, len(BODY) - 1)


def test_other_requests_and_the_canary_are_not_logged(log, client):
    log.upstream.answer = OK
    client.sendall(b"GET /v2/health/ready HTTP/1.1\r\n\r\n")
    client.sendall(post(BODY, "X-Request-Id: canary"))
    client.sendall(post(BODY, path="/v2/models/last/versions/7/generate"))
    assert read(client, 3).count(b"200 OK") == 3
    found = log.line()
    assert (found["model"], found["version"]) == ("last", "7")


def test_a_log_that_is_full_does_not_delay_requests(log, client, monkeypatch):
    """Nobody reads the log: the pipe (64 KiB) and the guard's buffer are full, and then lines are counted."""
    monkeypatch.setattr(request_log, "_MAX_PENDING_BYTES", 1000)
    log.upstream.answer = OK
    path = f"/v2/models/{'m' * 200}/infer"
    for _ in range(6):
        client.sendall(post(BODY, path=path) * 50)
        assert read(client, 50) == OK * 50
    found = log.line()
    while found["source"] == "request":
        found = log.line()
    assert "request lines were dropped" in found["message"]
