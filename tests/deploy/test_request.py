"""How much the guard reads from a client at a time."""

import gzip

import pytest

from deploy.supervisor.body_limits import Rules
from deploy.supervisor.http_messages import RefusedError
from deploy.supervisor.request import Request


@pytest.mark.parametrize(("header", "most"), [(b"Content-Encoding: gzip\r\n", 1024), (b"", 65536)])
def test_compressed_bodies_are_read_in_small_parts(header, most):
    """A small compressed body can become large, and other clients wait while it is checked."""
    request, body = Request(Rules(1 << 26)), gzip.compress(b" " * 10**7)
    assert request.appetite == 8192
    request.take(b"POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (header, len(body)))
    assert (request.has_begun, request.is_done, request.appetite) == (True, False, most)


@pytest.mark.parametrize("target", ["/v2/models/m/infer", "/v2/models/m/versions/1/infer?x=y"])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"", b""),
        (b"Content-Length: 0\r\n", b""),
        (b"Content-Length: 0\r\nInference-Header-Content-Length: 0\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        (b"Content-Encoding: gzip\r\nContent-Length: 20\r\n", gzip.compress(b"", mtime=0)),
    ],
    ids=["no length", "length 0", "no JSON", "no chunk", "nothing, compressed"],
)
def test_an_inference_request_without_a_body_is_refused(target, headers, body):
    """Triton treats it as raw binary input and answers with the label of an empty text."""
    with pytest.raises(RefusedError, match="needs a body"):
        Request(Rules(1 << 26)).take(b"POST %s HTTP/1.1\r\n%s\r\n%s" % (target.encode(), headers, body))


@pytest.mark.parametrize(
    "content",
    [
        b"GET /v2/models/m/infer HTTP/1.1\r\n\r\n",
        b"POST /v2/repository/models/m/load HTTP/1.1\r\n\r\n",
        b"POST /v2/models/infer/load HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v2/models/m/infer HTTP/1.1\r\nInference-Header-Content-Length: 0\r\nContent-Length: 1\r\n\r\na",
    ],
)
def test_other_requests_pass(content):
    request = Request(Rules(1 << 26))
    assert request.take(content) == len(content)
    assert request.is_done
