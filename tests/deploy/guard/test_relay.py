"""Responses of the server behind the guard: which are passed on, and when the guard responds itself."""

import socket
import struct
import threading
import time

import pytest

from deploy.supervisor.body_limits import Rules
from tests.loopback.upstream import OK, guarded, post, read, refusal, without_id


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
        while len(without_id(content)) < len(answer):
            content += connection.recv(1 << 16)
        assert without_id(content) == answer
        upstream.answer = OK
        connection.sendall(post(b"b"))
        assert read(connection) == OK


UNREADABLE = (
    b'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 49\r\n\r\n{"error":"attempt to get members for non-object"}'
)


def test_the_connection_survives_an_error(connection, upstream):
    for answer in (UNREADABLE, UNREADABLE.replace(b"attempt to", b"cannot yet")):
        upstream.answer = answer
        connection.sendall(post(b"a"))
        expected = answer.replace(b"500 Internal Server Error", b"400 Bad Request") if answer is UNREADABLE else answer
        assert read(connection) == expected


def test_a_truncated_error_becomes_status_502():
    """No part of it was passed on, so the client gets a complete error."""
    with socket.create_server(("127.0.0.1", 0)) as half:
        client = socket.create_connection(guarded(half.getsockname()), timeout=10)
        client.sendall(post(b"a"))
        triton, _ = half.accept()
        with triton, client:
            triton.recv(1 << 16)
            triton.sendall(UNREADABLE[:-5])
            triton.shutdown(socket.SHUT_WR)
            assert refusal(client)[0] == 502


def test_a_connection_that_the_server_closes_is_closed(connection, upstream):
    """Without a response of the guard: clients retry."""
    connection.sendall(post(b"a"))
    assert read(connection) == OK
    upstream.answer = b""
    connection.sendall(post(b"b"))
    assert connection.recv(1 << 16) == b""


BODY = b'{"error":"the body has too many chunks"}'
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
PART = 256 * 1024


def answers_early(listening, end, *, is_kept):
    """Responds after PART bytes of a request, and then ends the connection as `end` says."""
    connection, _ = listening.accept()
    with connection:
        if is_kept:
            connection.recv(1 << 16)
            connection.sendall(OK)
        taken = 0
        while taken < PART:
            taken += len(connection.recv(PART))
        connection.sendall(REFUSED)
        if end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif end == "stop writing":
            connection.shutdown(socket.SHUT_WR)
            time.sleep(1)
        elif end == "read on":
            while connection.recv(1 << 20):
                pass


@pytest.mark.parametrize("end", ["reset", "close", "stop writing", "read on"])
@pytest.mark.parametrize("is_kept", [False, True], ids=["first request", "a later one"])
@pytest.mark.parametrize("parts", [1, 4, 200])
def test_an_early_response_is_passed_on(end, is_kept, parts):
    """The client reads only when it has sent its part; to close a connection with bytes unread resets it, too.

    So does Triton from 26.05 on, when a body has too many chunks.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = guarded(listening.getsockname(), Rules(1 << 30))
        server = threading.Thread(target=answers_early, args=[listening, end], kwargs={"is_kept": is_kept})
        server.start()
        with socket.create_connection(address, timeout=10) as client:
            if is_kept:
                client.sendall(post(b"a"))
                assert read(client) == OK
            client.sendall(b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (300 * PART))
            for _ in range(parts):
                client.sendall(b" " * PART)
            content = b""
            while more := client.recv(1 << 16):
                content += more
        server.join(10)
    assert without_id(content) == REFUSED


def test_a_server_that_closes_before_it_responds_gives_502():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = guarded(listening.getsockname(), Rules(1 << 30))
        with socket.create_connection(address, timeout=10) as client:
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (9 * PART))
            connection, _ = listening.accept()
            connection.recv(PART)
            connection.close()
            for _ in range(9):
                client.sendall(b" " * PART)
            assert refusal(client)[0] == 502
