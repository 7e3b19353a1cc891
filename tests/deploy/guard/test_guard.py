"""The request guard: what it passes on, byte for byte, and which connections it closes."""

import contextlib
import gzip
import os
import socket
import time
import zlib

import pytest

from deploy.supervisor import body_limits, relay
from tests.loopback.upstream import LIMIT, OK, guarded, post, read, refusal, without_id


@pytest.mark.parametrize("size", [1, 3, 17, 1 << 20])
@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v2/health/ready HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"GET /" + b"b" * 8177 + b" HTTP/1.1\r\nA: " + b"b" * 8188 + b"\r\n\r\n",
        post(b'{"a": "[[[\\"{{{"}' * 20),
        post(b"[" * body_limits.MAX_DEPTH + b"]" * body_limits.MAX_DEPTH),
        post(b'["' + b"[" * 5000 + b'\\\\"]'),
        post(b"{" + b'"a:":":::::::",' * body_limits.MAX_MEMBERS),
        post(b"[" * 5000, "Inference-Header-Content-Length: 3"),
        post(gzip.compress(b"x" * LIMIT), "Content-Encoding: gzip"),
        post(b"x", "Content-Encoding: identity"),
        post(zlib.compress(b"x" * LIMIT), "Content-Encoding: deflate"),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
    ],
    ids=lambda value: None if isinstance(value, int) else repr(value[:40]),
)
def test_a_valid_request_is_passed_on_unchanged(connection, upstream, request_, size):
    for start in range(0, len(request_), max(size, len(request_) // 200)):
        connection.sendall(request_[start : start + max(size, len(request_) // 200)])
    assert read(connection) == OK
    assert upstream.requests == [request_]


def test_a_large_body_is_passed_on_unchanged(connection, upstream):
    request = post(os.urandom(LIMIT), "Inference-Header-Content-Length: 0")
    connection.sendall(request)
    assert read(connection) == OK
    assert upstream.requests == [request]


def test_pipelined_requests_are_answered_in_order(connection, upstream):
    sent = [post(bytes([65 + number]) * 50) for number in range(20)]
    connection.sendall(b"".join(sent) + post(b"[" * 5000))
    answers = read(connection, 21)
    assert upstream.requests == sent
    assert answers.startswith(OK * 20 + b"HTTP/1.1 400 Bad Request\r\n")


def test_a_half_closed_client_gets_its_responses(connection, upstream):
    connection.sendall(post(b"a") * 3 + post(b"b")[:-1])
    connection.shutdown(socket.SHUT_WR)
    assert read(connection, 9) == OK * 3
    assert upstream.requests == [post(b"a")] * 3


def test_head_responses_have_no_body(connection, upstream):
    upstream.answer = OK[:-2]
    connection.sendall(b"HEAD / HTTP/1.1\r\n\r\n")
    assert without_id(connection.recv(1 << 16)) == upstream.answer
    upstream.answer = OK
    connection.sendall(post(b"b"))
    assert read(connection) == OK


def test_a_flood_of_connections_does_not_affect_others(upstream):
    """Silent connections and incomplete requests: those with the oldest activity are closed."""
    upstream.answer = OK
    address = guarded(upstream.listening.getsockname(), max_connections=10)
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


def test_an_unreachable_server_gives_502():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = closed.getsockname()
    with socket.create_connection(guarded(address), timeout=10) as client:
        client.sendall(post(b"a"))
        assert refusal(client)[0] == 502


def test_slow_clients_time_out_and_idle_ones_do_not(port, upstream, monkeypatch):
    upstream.answer = OK
    monkeypatch.setattr(relay, "TIMEOUT_SECONDS", 1.0)
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


def test_a_client_that_does_not_read_is_closed(connection, upstream, monkeypatch):
    """Otherwise it would keep its place, and a new client could not connect."""
    monkeypatch.setattr(relay, "TIMEOUT_SECONDS", 1.0)
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 24) + b"x" * (1 << 24)
    connection.sendall(post(b"a"))
    time.sleep(3.5)
    taken = 0
    with contextlib.suppress(ConnectionError):
        while more := connection.recv(1 << 20):
            taken += len(more)
    assert 0 < taken < 1 << 24


def test_a_slow_reader_gets_the_whole_response(connection, upstream):
    body = os.urandom(1 << 20) * 16
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    connection.sendall(post(b"a"))
    time.sleep(0.3)
    content = bytearray()
    while len(without_id(content)) < len(upstream.answer):
        content += connection.recv(1 << 20)
    assert without_id(content) == upstream.answer
