"""Invalid, unusual and very long requests, alone and among valid ones."""

import json
import time
import zlib

import pytest

from tests.server.faults.raw_http import chunk, exchange, infer_request
from tests.server.faults.target import resident_megabytes
from utils.diagnosis.cases import CASES, MB, good_among_bad
from utils.diagnosis.target import GOOD, LEAK, infer_body

LONGEST_ANSWER = 2.0


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row}-{case.name}")
def test_requests_get_their_answer(target, case):
    durations = []
    for _attempt in range(3):  # a machine that is busy with other things must not fail the time limit of row 9
        started = time.monotonic()
        reply = case.send(target)
        durations.append(time.monotonic() - started)
        if durations[-1] <= LONGEST_ANSWER:
            break
    assert reply.status == case.status, reply.text[:300]
    assert not LEAK.search(reply.text), reply.text[:500]
    if case.status == 200:
        assert set(reply.outputs) == {"predicts", "scores"}
    else:
        assert set(json.loads(reply.body)) == {"error"}
        assert case.message_of(target.release) in reply.error
    assert min(durations) <= LONGEST_ANSWER, durations
    target.assert_unharmed()


def announced():
    yield b"Content-Length: 70000000\r\n\r\n"
    yield from [b" " * MB] * 70


def asked_before():
    yield b"Content-Length: 70000000\r\nExpect: 100-continue\r\n\r\n"


def compressed():
    yield b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    packer = zlib.compressobj(1, wbits=31)
    for _ in range(70):
        yield chunk(packer.compress(b" " * MB) + packer.flush(zlib.Z_SYNC_FLUSH))


def deep():
    yield b"Content-Length: 60000000\r\n\r\n"
    yield from [b"[" * MB] * 60


@pytest.mark.parametrize(("body", "status"), [(announced, 413), (asked_before, 413), (compressed, 413), (deep, 400)])
def test_a_refused_body_takes_no_memory(target, body, status):
    """Row 10. The whole body is sent before the answer is read."""
    before = resident_megabytes(target.family)
    head = f"POST /v2/models/{target.model}/infer HTTP/1.1\r\nHost: a\r\n".encode()
    (reply,) = exchange(target, [head, *body()])
    assert (reply.status, set(json.loads(reply.body))) == (status, {"error"})
    assert resident_megabytes(target.family) - before < 5
    target.assert_unharmed()


def test_pipelined_requests_are_answered_in_order(target):
    bodies = [infer_body([f"{GOOD} {number}"]) for number in range(30)]
    expected = [target.infer(body) for body in bodies]
    assert exchange(target, [b"".join(infer_request(target, body) for body in bodies)], silence=2) == expected


def test_a_chunked_body_is_accepted(target):
    head = infer_request(target, b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    body = infer_body()
    chunks = [chunk(body[start : start + 7]) for start in range(0, len(body), 7)]
    (reply,) = exchange(target, [head, *chunks, chunk(b"")], silence=2)
    assert (reply.status, reply.body) == (200, target.before)


@pytest.mark.parametrize("text", ["money back " * 90_000, "\n".join(["помогите мне"] * 20_000)], ids=["words", "lines"])
def test_a_very_long_text_gets_the_answer_of_its_beginning(target, text):
    assert target.infer(infer_body([text])).outputs == target.infer(infer_body([text[:2000]])).outputs


def test_invalid_texts_do_not_fail_others(target):
    """Row 2: 40 at once, so that the dynamic batcher merges them; 1,000 valid texts among as many invalid ones."""
    assert good_among_bad(target, 1000) == (0, 0)
    target.assert_unharmed()
