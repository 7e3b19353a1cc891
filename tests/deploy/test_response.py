"""Triton's responses through the guard: unchanged, except for errors that the request caused."""

import json

import pytest

from deploy.supervisor.body_limits import Rules
from deploy.supervisor.http_messages import RefusedError
from deploy.supervisor.request import Request
from deploy.supervisor.response import Response
from tests.loopback.triton_sentences import NO_ROOM
from tests.loopback.upstream import without_id


def error(sentence):
    body = json.dumps({"error": sentence}, separators=(",", ":")).encode()
    head = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize(
    ("sentence", "status"),
    [
        ("failed to parse the request JSON buffer: Invalid value. at 1", 400),
        ("Unable to parse JSON bytes array: attempt to access JSON non-string as string", 400),
        ("Unable to set 'classification': attempt to access JSON non-unsigned-integer as unsigned-integer", 400),
        ("failed to get request params.: attempt to get members for non-object", 400),
        ("attempt to get members for non-object", 400),
        ("Unable to parse 'data': Shape does not match true shape of 'data' field", 400),
        ("Failed to parse 'data' field: shape does not match true shape", 400),
        ("Unable to parse the picture: it is none", 500),
        ("the step failed: attempt to access a key that is not there", 500),
        ("the model's logits are not finite for this input: no label can be given", 500),
        ("", 500),
        ("failed to parse the request JSON buffer: " + "x" * 70_000, 500),
    ],
)
def test_unreadable_requests_get_status_400(sentence, status, before, size):
    """400 instead of Triton's 500 for messages of its parser; the rest of the response is unchanged."""
    answer, response = before + error(sentence), Response(Request(Rules(1000)))
    passed = waiting = b""
    for start in range(0, len(answer), size):
        waiting += answer[start : start + size]
        used, more = response.take(waiting)
        waiting, passed = waiting[used:], passed + more
    passed = without_id(passed)
    assert (response.is_done, waiting) == (True, b"")
    reasons = {400: b"400 Bad Request", 500: b"500 Internal Server Error"}
    assert passed == answer.replace(reasons[500], reasons[status])


@pytest.mark.parametrize("release", NO_ROOM)
@pytest.mark.parametrize("step", ["", "in ensemble 'topics', "])
def test_full_shared_memory_gets_status_503(step, release):
    answer = error(step + json.loads(NO_ROOM[release])["error"])
    used, passed = Response(Request(Rules(1000))).take(answer + b"HTTP/1.1 ")
    assert used == len(answer)
    head, _, body = without_id(passed).partition(b"\r\n\r\n")
    assert head == b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d" % len(body)
    sentence = json.loads(body)["error"]
    assert "--shm-size" in sentence and "triton_" not in sentence


def test_a_failed_run_hides_the_graph(capfd):
    message = b'{"error":"onnx runtime error 2: Gather node. Name:\'lookup/rows\' Status Message: idx=99"}'
    answer = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: %d\r\n\r\n%s" % (len(message), message)
    used, passed = Response(Request(Rules(1000))).take(answer)
    head, _, body = without_id(passed).partition(b"\r\n\r\n")
    assert (used, head.split(b"\r\n")[0]) == (len(answer), b"HTTP/1.1 500 Internal Server Error")
    assert "check their values" in json.loads(body)["error"] and b"lookup" not in body
    assert int(head.rpartition(b" ")[2]) == len(body)
    assert "lookup/rows" in capfd.readouterr().err


def request_with(body):
    """The complete request with this body."""
    request = Request(Rules(1000))
    request.take(b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert request.is_done
    return request


NO_UTF8 = b'{"id":"\x80"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def quoting(name):
    body = b'{"error":"unexpected input \'%s\'"}' % name
    return b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_an_error_that_quotes_invalid_utf8_is_json():
    answer = quoting("д".encode() + b"\x80")
    used, passed = Response(request_with(NO_UTF8)).take(answer)
    head, _, body = without_id(passed).partition(b"\r\n\r\n")
    assert (used, head) == (len(answer), b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d" % len(body))
    assert json.loads(body)["error"] == "unexpected input 'д\ufffd'"


@pytest.mark.parametrize("answer", [OK, quoting(b"\x80" * 70_000)])
def test_invalid_utf8_gets_no_answer_that_may_quote_it(answer):
    with pytest.raises(RefusedError, match="the request's JSON is not valid UTF-8") as raised:
        Response(request_with(NO_UTF8)).take(answer)
    assert raised.value.status.startswith("400 ")
    good = Response(request_with('{"id":"д"}'.encode()))
    used, passed = good.take(answer)
    assert (used, without_id(passed), good.is_done) == (len(answer), answer, True)


def test_errors_of_head_requests_are_unchanged():
    request = Request(Rules(1000))
    request.take(b"HEAD / HTTP/1.1\r\n\r\n")
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 20\r\n\r\n"
    used, passed = Response(request).take(answer)
    assert (used, without_id(passed)) == (len(answer), answer)
