"""The guard before Triton: what it passes on, byte for byte, and what it refuses."""

import contextlib
import gzip
import json
import os
import socket
import threading
import time
import zlib

import pytest

from deploy.supervisor import body_limits, guard, relay
from deploy.supervisor.http_messages import HEAD_BYTES

LIMIT = 200_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Upstream:
    """Takes every request in full, notes it, and answers `answer`; b"" ends the connection."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.requests, self.answer = [], OK
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection, _ = self.listening.accept()
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection):
        content = b""
        with connection, contextlib.suppress(ConnectionError):
            while more := connection.recv(1 << 20):
                content += more
                while (end := _end(content)) is not None:
                    self.requests.append(content[:end])
                    content = content[end:]
                    if not self.answer:
                        return
                    connection.sendall(self.answer)


def _end(content):
    head, found, body = content.partition(b"\r\n\r\n")
    if not found:
        return None
    if b"chunked" in head:
        return len(content) if content.endswith(b"0\r\n\r\n") else None
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), 0)
    return len(head) + 4 + length if len(body) >= length else None


@pytest.fixture(scope="module")
def upstream():
    return Upstream()


@pytest.fixture(scope="module")
def port(upstream):
    return guarded(upstream.listening.getsockname())[1]


@pytest.fixture
def connection(port, upstream):
    upstream.requests.clear()
    upstream.answer = OK
    with socket.create_connection(("127.0.0.1", port), timeout=10) as made:
        yield made


def read(connection, count=1):
    """So many answers, or what there is when the connection ends."""
    content = b""
    while content.count(b"HTTP/1.1 ") < count or not content.endswith((b"ok", b"}", b"0\r\n\r\n")):
        more = connection.recv(1 << 16)
        if not more:
            break
        content += more
    return content


def post(body, *headers, path="/v2/models/m/infer"):
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def refusal(connection):
    """(status, sentence); the connection ends after it."""
    content = b""
    while more := connection.recv(1 << 16):
        content += more
    head, _, body = content.partition(b"\r\n\r\n")
    assert b"Connection: close" in head and b"application/json" in head
    return int(head.split()[1]), json.loads(body)["error"]


@pytest.mark.parametrize("size", [1, 3, 17, 1 << 20])
@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v2/health/ready HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        post(b""),
        post(b'{"a": "[[[\\"{{{"}' * 20),
        post(b"[" * body_limits.DEEPEST + b"]" * body_limits.DEEPEST),
        post(b'["' + b"[" * 5000 + b'\\\\"]'),
        post(b"{" + b'"a:":":::::::",' * body_limits.MOST_MEMBERS),
        post(b"[" * 5000, "Inference-Header-Content-Length: 3"),
        post(gzip.compress(b"x" * LIMIT), "Content-Encoding: gzip"),
        post(b"x", "Content-Encoding: identity"),
        post(zlib.compress(b"x" * LIMIT), "Content-Encoding: deflate"),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
    ],
    ids=lambda value: None if isinstance(value, int) else repr(value[:40]),
)
def test_a_good_request_arrives_as_it_was_sent(connection, upstream, request_, size):
    for start in range(0, len(request_), max(size, len(request_) // 200)):
        connection.sendall(request_[start : start + max(size, len(request_) // 200)])
    assert read(connection) == OK
    assert upstream.requests == [request_]


def test_a_large_body_arrives_as_it_was_sent(connection, upstream):
    request = post(os.urandom(LIMIT), "Inference-Header-Content-Length: 0")
    connection.sendall(request)
    assert read(connection) == OK
    assert upstream.requests == [request]


def test_requests_sent_at_once_are_answered_in_order(connection, upstream):
    sent = [post(bytes([65 + number]) * 50) for number in range(20)]
    connection.sendall(b"".join(sent) + post(b"[" * 5000))
    answers = read(connection, 21)
    assert upstream.requests == sent
    assert answers.startswith(OK * 20 + b"HTTP/1.1 400 Bad Request\r\n")


BAD = {
    "larger than it may be": (post(b"x" * (LIMIT + 1)), 413),
    "announced larger, never sent": (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
    "announced larger, asked before": (
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n",
        413,
    ),
    "chunks without end": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"8000\r\n%s\r\n" % (b"x" * 0x8000) * 7,
        413,
    ),
    "much in little": (post(gzip.compress(b" " * LIMIT * 9), "Content-Encoding: gzip"), 413),
    "compressed twice": (post(gzip.compress(b"a") * 2, "Content-Encoding: gzip"), 400),
    "not compressed": (post(b"[1]", "Content-Encoding: gzip"), 400),
    "a coding nobody reads": (post(b"a", "Content-Encoding: br"), 415),
    "a coding Triton does not know so": (post(gzip.compress(b"a"), "Content-Encoding: GZIP"), 415),
    "two codings": (post(gzip.compress(gzip.compress(b"a")), "Content-Encoding: gzip, gzip"), 415),
    "deep": (post(b"[" * 1001), 400),
    "deep objects": (post(b'{"a":' * 1001), 400),
    "many members": (post(b"{" + b'"a":1,' * 10_001), 400),
    "deep behind a text": (post(b'["\\\\", "\\"]", ' + b"[" * 1000), 400),
    "deep after much": (post(b"[" + b"[]," * 60000 + b"[" * 1000), 400),
    "deep and compressed": (post(gzip.compress(b"[" * 5000), "Content-Encoding: gzip"), 400),
    "deep in the JSON before tensors": (post(b"[" * 1001, "Inference-Header-Content-Length: 1001"), 400),
    "deep where no tensors are": (post(b"[" * 1001, "Inference-Header-Content-Length: 0", path="/v2/x/generate"), 400),
    "deep, a length that is none": (post(b"[" * 1001, "Inference-Header-Content-Length: 0x"), 400),
    "no HTTP": (b"nope\r\n\r\n", 400),
    "an unknown method": (b"post / HTTP/1.1\r\n\r\n", 400),
    "a target that is no path": (b"OPTIONS * HTTP/1.1\r\n\r\n", 400),
    "a later HTTP": (b"GET / HTTP/2.0\r\n\r\n", 400),
    "bare line feeds": (b"GET / HTTP/1.1\nA: b\n\n\r\n\r\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
    "a space before a colon": (b"GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n", 400),
    "NUL": (b"GET / HTTP/1.1\r\nA: \0\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", 400),
    "a length and chunks": (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "an unknown coding": (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
    "a negative length": (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    "a length in words": (b"POST / HTTP/1.1\r\nContent-Length: five\r\n\r\n", 400),
    "a chunk of no size": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "a chunk with an extension": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\n\r\n", 400),
    "a chunk longer than it says": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
    "an end that is none": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\0\n", 400),
    "a chunk's endless line": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 999, 400),
    "headers at the end": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", 400),
    "endless headers": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * HEAD_BYTES, 431),
    "one endless header": (b"GET / HTTP/1.1\r\nA: " + b"b" * HEAD_BYTES, 431),
    "long headers": (b"GET / HTTP/1.1\r\nA: " + b"b" * HEAD_BYTES + b"\r\n\r\n", 431),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_gets_a_sentence_and_goes_no_further(connection, upstream, name):
    request, status = BAD[name]
    connection.sendall(request)
    got, sentence = refusal(connection)
    assert (got, upstream.requests) == (status, [])
    assert (str(LIMIT) in sentence) == (status == 413)


def test_who_sends_on_after_a_refusal_still_reads_it(connection):
    connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 90000000\r\n\r\n")
    for _ in range(90):
        connection.sendall(b"x" * 1_000_000)
    assert refusal(connection)[0] == 413


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", None),
        (b"HTTP/1.1 204 No Content\r\n\r\n", None),
        (b"", b"502"),
        (b"nope\r\n\r\n", b"502"),
    ],
)
def test_answers_are_passed_on(connection, upstream, answer, expected):
    upstream.answer = answer
    connection.sendall(post(b"a"))
    if expected:
        assert refusal(connection)[0] == int(expected)
    else:
        content = b""
        while len(content) < len(answer):
            content += connection.recv(1 << 16)
        assert content == answer
        upstream.answer = OK
        connection.sendall(post(b"b"))
        assert read(connection) == OK


UNREADABLE = (
    b'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 49\r\n\r\n{"error":"attempt to get members for non-object"}'
)


def test_an_error_is_passed_on_and_the_connection_serves_on(connection, upstream):
    for answer in (UNREADABLE, UNREADABLE.replace(b"attempt to", b"cannot yet")):
        upstream.answer = answer
        connection.sendall(post(b"a"))
        expected = answer.replace(b"500 Internal Server Error", b"400 Bad Request") if answer is UNREADABLE else answer
        assert read(connection) == expected


def test_half_an_error_is_no_answer():
    """Nothing of it has gone on: the client gets one that is whole."""
    with socket.create_server(("127.0.0.1", 0)) as half:
        client = socket.create_connection(guarded(half.getsockname()), timeout=10)
        client.sendall(post(b"a"))
        triton, _ = half.accept()
        with triton, client:
            triton.recv(1 << 16)
            triton.sendall(UNREADABLE[:-5])
            triton.shutdown(socket.SHUT_WR)
            assert refusal(client)[0] == 502


def test_a_connection_that_the_server_ends_is_ended(connection, upstream):
    """Without an answer of ours: the client knows that it may ask anew."""
    connection.sendall(post(b"a"))
    assert read(connection) == OK
    upstream.answer = b""
    connection.sendall(post(b"b"))
    assert connection.recv(1 << 16) == b""


def test_a_client_that_ends_its_side_gets_its_answers(connection, upstream):
    connection.sendall(post(b"a") * 3 + post(b"b")[:-1])
    connection.shutdown(socket.SHUT_WR)
    assert read(connection, 9) == OK * 3
    assert upstream.requests == [post(b"a")] * 3


def test_a_head_has_no_body(connection, upstream):
    upstream.answer = OK[:-2]
    connection.sendall(b"HEAD / HTTP/1.1\r\n\r\n")
    assert connection.recv(1 << 16) == upstream.answer
    upstream.answer = OK
    connection.sendall(post(b"b"))
    assert read(connection) == OK


def guarded(upstream, **options):
    """A client's address."""
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=guard.Guard(listening, upstream, LIMIT, **options).run, daemon=True).start()
    return listening.getsockname()


def test_a_flood_of_connections_costs_no_other_its_answer(upstream):
    """Silent ones, and such as never end their request: those that were not heard of for longest are ended."""
    upstream.answer = OK
    address = guarded(upstream.listening.getsockname(), most=10)
    busy = socket.create_connection(address, timeout=10)
    flood = []
    for number in range(50):
        flood.append(socket.create_connection(address, timeout=10))
        if number % 2:
            flood[-1].sendall(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        busy.sendall(post(b"a"))
        assert read(busy) == OK
    assert [each.recv(1) for each in flood[:40]] == [b""] * 40
    for each in (busy, *flood):
        each.close()


def test_a_server_that_is_not_there_is_told():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = closed.getsockname()
    with socket.create_connection(guarded(address), timeout=10) as client:
        client.sendall(post(b"a"))
        assert refusal(client)[0] == 502


def test_a_slow_client_is_ended_and_an_idle_one_is_not(port, upstream, monkeypatch):
    upstream.answer = OK
    monkeypatch.setattr(relay, "PATIENCE", 1.0)
    clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(4)]
    silent, slow_head, slow_body, idle = clients
    slow_head.sendall(b"GET / HT")
    slow_body.sendall(post(b"abc")[:-1])
    idle.sendall(post(b"a"))
    assert read(idle) == OK
    assert silent.recv(1) == b""
    assert [refusal(each)[0] for each in (slow_head, slow_body)] == [408, 408]
    time.sleep(2.5)
    idle.sendall(post(b"a"))
    assert read(idle) == OK
    for each in clients:
        each.close()


def test_a_client_that_takes_nothing_of_its_answer_is_ended(connection, upstream, monkeypatch):
    """Else it would keep its place, which no new client could have."""
    monkeypatch.setattr(relay, "PATIENCE", 1.0)
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 24) + b"x" * (1 << 24)
    connection.sendall(post(b"a"))
    time.sleep(3.5)
    taken = 0
    with contextlib.suppress(ConnectionError):
        while more := connection.recv(1 << 20):
            taken += len(more)
    assert 0 < taken < 1 << 24


def test_a_slow_reader_gets_all(connection, upstream):
    body = os.urandom(1 << 20) * 16
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    connection.sendall(post(b"a"))
    time.sleep(0.3)
    content = bytearray()
    while len(content) < len(upstream.answer):
        content += connection.recv(1 << 20)
    assert content == upstream.answer
