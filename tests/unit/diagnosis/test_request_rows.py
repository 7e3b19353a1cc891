"""Right and wrong answers and their rows. The server is scripted."""

import json

import pytest

from utils.diagnosis import request_rows
from utils.diagnosis.cases import CASES, Case
from utils.diagnosis.findings import FAULT, OK
from utils.diagnosis.request_rows import row, wrong_answer
from utils.diagnosis.target import Reply, Target

GOOD = json.dumps({"outputs": [{"name": "predicts", "data": ["a"]}, {"name": "scores", "data": [1.0]}]}).encode()
ACCEPTED = Case(8, "spaces", lambda target: target.infer(b""), 200)
REFUSED = Case(4, "shape [2]", lambda target: target.infer(b""), 400, "unexpected shape")


class Scripted(Target):
    def __init__(self, reply=None, *, ready=True):
        super().__init__(address="127.0.0.1:1", model="m")
        self.reply, self.ready = reply or Reply(200, GOOD), ready

    def send(self, path, body=None, headers=None, method="POST"):
        if not self.ready:
            raise ConnectionRefusedError
        return self.reply


class Dying(Scripted):
    """Answers the first requests, then closes connections."""

    def __init__(self, answers):
        super().__init__()
        self.answers = answers

    def send(self, path, body=None, headers=None, method="POST"):
        self.answers -= 1
        if self.answers < 0:
            raise ConnectionRefusedError
        return Reply(200, b'{"version": "2.51.0"}') if path == "/v2" else super().send(path)


def refusal(text):
    return json.dumps({"error": text}).encode()


@pytest.mark.parametrize(
    ("case", "reply", "seen"),
    [
        (ACCEPTED, Reply(200, GOOD), ""),
        (ACCEPTED, Reply(500, refusal("broken")), "500"),
        (ACCEPTED, Reply(200, b"<html>"), "not a JSON answer"),
        (ACCEPTED, Reply(200, json.dumps({"outputs": [{"name": "other", "data": []}]}).encode()), "200 with other"),
        (REFUSED, Reply(400, refusal("unexpected shape for input")), ""),
        (REFUSED, Reply(200, GOOD), "200"),
        (REFUSED, Reply(400, refusal("something else")), "something else"),
        (REFUSED, Reply(400, refusal("unexpected shape\nTraceback (most recent call last)")), "'Traceback'"),
        (REFUSED, Reply(400, refusal("unexpected shape in /opt/serving/x")), "'/opt/'"),
        (REFUSED, Reply(400, b"no JSON"), "not a JSON answer"),
    ],
)
def test_an_answer(case, reply, seen):
    wrong = wrong_answer(reply, case, case.message)
    assert seen in wrong and bool(wrong) == bool(seen)


def test_a_right_answer_is_ok():
    found = row(8, "spaces", "200", "", Scripted(), GOOD, good="200")
    assert (found.status, found.seen, found.exit_code) == (OK, "200", 0)


@pytest.mark.parametrize(
    ("target", "wrong", "seen"),
    [
        (Scripted(), "500: broken", "500: broken"),
        (Scripted(ready=False), "", "not ready afterwards"),
        (Scripted(Reply(200, b"{}")), "", "another answer afterwards"),
    ],
)
def test_a_wrong_answer_or_a_harmed_server_is_a_fault(target, wrong, seen):
    found = row(8, "spaces", "200", wrong, target, GOOD)
    assert (found.status, found.exit_code) == (FAULT, 8)
    assert seen in found.seen


def test_a_lost_server_leaves_a_complete_table(monkeypatch):
    monkeypatch.setattr(request_rows, "open_over_grpc", lambda address: ["get_log_settings"])
    rows = list(request_rows.request_rows(Dying(answers=2), "127.0.0.1:9"))
    assert len(rows) == len(CASES) + 3
    assert {each.status for each in rows} == {FAULT}
    assert {each.seen for each in rows[:-1]} == {"no answer (ConnectionRefusedError)"}
    assert rows[-1].seen == "open: get_log_settings"
