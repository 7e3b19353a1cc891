"""One guard for the tests of a file, in front of a server whose response a test sets."""

import socket
from collections.abc import Iterator

import pytest

from tests.loopback.upstream import OK, Upstream, guarded


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture(scope="module")
def port(upstream: Upstream) -> int:
    return int(guarded(upstream.listening.getsockname())[1])


@pytest.fixture
def connection(port: int, upstream: Upstream) -> Iterator[socket.socket]:
    upstream.requests.clear()
    upstream.answer = OK
    with socket.create_connection(("127.0.0.1", port), timeout=10) as made:
        yield made
