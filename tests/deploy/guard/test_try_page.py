"""The try-it page of the guard: which requests it answers, with which headers, and what it leaves to the server."""

import re
import socket

import pytest

from deploy.supervisor import try_page
from tests.loopback.upstream import OK, guarded, post, read
from utils import ROOT

FOLDER = ROOT / "deploy/try_page"


@pytest.fixture(scope="module")
def page_port(upstream, tmp_path_factory):
    data = tmp_path_factory.mktemp("page") / "try.json"
    data.write_text('{"model": "m"}')
    return guarded(upstream.listening.getsockname(), page=try_page.read(str(FOLDER), str(data)))[1]


@pytest.fixture
def ask(page_port, upstream):
    """ask(request line) -> (status, headers, body) of a connection that the guard ends."""
    upstream.requests.clear()
    upstream.answer = OK

    def send(line):
        with socket.create_connection(("127.0.0.1", page_port), timeout=10) as connection:
            connection.sendall(f"{line}\r\nHost: a\r\n\r\n".encode())
            content = b""
            while more := connection.recv(1 << 16):
                content += more
        head, _, body = content.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body

    return send


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_each_file_has_its_type_and_its_policy(ask, file):
    status, headers, body = ask(f"GET /try/{'' if file.name == 'index.html' else file.name} HTTP/1.1")
    assert (status, body) == (200, file.read_bytes())
    kind = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[file.suffix[1:]]
    assert headers["Content-Type"].startswith(kind)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"])


def test_the_data_of_the_model(ask):
    assert ask("GET /try/try.json HTTP/1.1")[1:][1] == b'{"model": "m"}'


@pytest.mark.parametrize("path", ["/", "/try", "/try?a"])
def test_other_addresses_lead_to_the_page_wherever_a_proxy_has_it(ask, path):
    status, headers, body = ask(f"GET {path} HTTP/1.1")
    assert (status, headers["Location"], body) == (302, "try/", b"")


def test_head_and_a_query(ask):
    status, headers, body = ask("HEAD /try/main.js?v=1 HTTP/1.1")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == (FOLDER / "main.js").stat().st_size


@pytest.mark.parametrize(
    "line",
    [
        "GET /try/../try.json HTTP/1.1",
        "GET /try/%2e%2e/settings.py HTTP/1.1",
        "GET /try/index.html HTTP/1.1",
        "GET /try//main.js HTTP/1.1",
        "GET /v2/health/ready HTTP/1.1",
        "POST /try/ HTTP/1.1",
        "DELETE /try/main.js HTTP/1.1",
    ],
)
def test_every_other_request_goes_to_the_server(page_port, upstream, line):
    upstream.requests.clear()
    upstream.answer = OK
    with socket.create_connection(("127.0.0.1", page_port), timeout=10) as connection:
        connection.sendall(f"{line}\r\nHost: a\r\n\r\n".encode())
        assert read(connection) == OK
    assert upstream.requests == [f"{line}\r\nHost: a\r\n\r\n".encode()]


def test_an_inference_on_the_same_connection_comes_first(page_port, upstream):
    """A pipelined request for the page waits for the answer before it."""
    upstream.answer = OK
    with socket.create_connection(("127.0.0.1", page_port), timeout=10) as connection:
        connection.sendall(post(b"a") + b"GET /try/try.json HTTP/1.1\r\nHost: a\r\n\r\n")
        content = read(connection, 2)
    assert content.startswith(OK + b"HTTP/1.1 200 OK\r\nContent-Type: application/json")


def test_without_the_setting_there_is_no_page(connection, upstream):
    connection.sendall(b"GET /try/ HTTP/1.1\r\nHost: a\r\n\r\n")
    assert read(connection) == OK
    assert upstream.requests == [b"GET /try/ HTTP/1.1\r\nHost: a\r\n\r\n"]
