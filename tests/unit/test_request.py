"""What the guard reads of a client at a time."""

import gzip

import pytest

from deploy.supervisor.body_limits import Rules
from deploy.supervisor.request import Request


@pytest.mark.parametrize(("header", "most"), [(b"Content-Encoding: gzip\r\n", 1024), (b"", 65536)])
def test_little_is_read_of_what_may_become_much(header, most):
    """A small compressed body can be a large one: the others would wait while it is looked at."""
    request, body = Request(Rules(1 << 26)), gzip.compress(b" " * 10**7)
    assert request.appetite == 8192
    request.take(b"POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (header, len(body)))
    assert (request.has_begun, request.is_done, request.appetite) == (True, False, most)
