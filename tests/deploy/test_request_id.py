"""The id of a request: V2's, that of the header, or a random one."""

import pytest

from deploy.supervisor.request_id import RequestId


def made(head=b"", body=b""):
    found = RequestId()
    found.read_head(b"POST / HTTP/1.1\r\n" + head + b"\r\n")
    found.read_json(body)
    return found


@pytest.mark.parametrize(
    ("head", "body", "own", "header"),
    [
        (b"X-Request-Id: abc\r\n", b"{}", "", b"abc"),
        (b"A: b\r\nx-request-id:a-b/1 \r\n", b"{}", "", b"a-b/1"),
        (b"", b'{"id":"abc"}', "abc", b"abc"),
        (b"", b' {\n "id" : "a\\u0062c", "x": 1', "abc", b"abc"),
        (b"X-Request-Id: abc\r\n", b'{"id":"d"}', "d", b"abc"),
    ],
)
def test_the_clients_id_is_kept(head, body, own, header):
    found = made(head, body)
    assert (found.own, found.header) == (own, header)


@pytest.mark.parametrize("value", [b"", b"a b", b"a\tb", b"x" * 129, b"\xc3\xa9"])
def test_a_header_that_is_no_id_is_replaced(value):
    header = made(b"X-Request-Id: " + value + b"\r\n").header
    assert len(header) == 32 and header != made().header


@pytest.mark.parametrize("body", [b'{"id":"a b"}', '{"id":"é"}'.encode(), b'{"id":"a\\r\\nB: c"}'])
def test_an_id_that_is_no_header_is_not_sent_as_one(body):
    found = made(body=body)
    assert found.own and len(found.header) == 32


@pytest.mark.parametrize(
    "body", [b'{"id":1}', b'{"id":"\xff"}', b'{"id":"\\x"}', b'{"inputs":[{"id":"a"}]}', b'{"id":"a']
)
def test_anything_else_is_no_id(body):
    assert made(body=body).own == ""


def test_the_header_is_added_to_a_response():
    found = made(b"X-Request-Id: abc\r\n")
    assert (
        found.with_header(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n") == b"HTTP/1.1 200 OK\r\nA: b\r\nX-Request-Id: abc\r\n\r\n"
    )
