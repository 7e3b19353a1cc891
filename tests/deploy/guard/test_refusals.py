"""Requests that the guard refuses: each gets a sentence, and none reaches Triton."""

import gzip
import json
import socket

import pytest

from deploy.supervisor.body_limits import Rules
from deploy.supervisor.http_messages import HEAD_BYTES, MAX_CHUNKS
from tests.loopback.upstream import LIMIT, OK, RULES, guarded, post, read, refusal

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
    "a length of the JSON that is none": (post(b"[" * 1001, "Inference-Header-Content-Length: 0x"), 400),
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
    "a long header": (b"GET / HTTP/1.1\r\nA: " + b"b" * 8189 + b"\r\n\r\n", 431),
    "a long target": (b"GET /" + b"b" * 8178 + b" HTTP/1.1\r\n\r\n", 431),
    "long headers": (b"GET / HTTP/1.1\r\nA: " + b"b" * HEAD_BYTES + b"\r\n\r\n", 431),
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_requests_are_refused(connection, upstream, name):
    request, status = BAD[name]
    connection.sendall(request)
    got, sentence = refusal(connection)
    assert (got, upstream.requests) == (status, [])
    assert (str(LIMIT) in sentence) == (status == 413)


def test_a_refused_client_that_keeps_sending_reads_the_reason(connection):
    connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 90000000\r\n\r\n")
    for _ in range(90):
        connection.sendall(b"x" * 1_000_000)
    assert refusal(connection)[0] == 413


LENGTH = "Inference-Header-Content-Length"


@pytest.mark.parametrize("path", ["/v2/models/m/infer", "/v2/models/m/generate", "/v2/health/ready", "/"])
@pytest.mark.parametrize(
    "header",
    [
        f"{LENGTH}: 99999999999",
        f"{LENGTH}: {2**31}",
        f"{LENGTH}: 1000000000",
        f"{LENGTH.upper()}:99999999999",
        f"{LENGTH.lower()}: \t 99999999999 \t",
        f"{LENGTH}: 5\r\n{LENGTH.lower()}: 99999999999",
        f"{LENGTH}: -1",
        f"{LENGTH}: +5",
        f"{LENGTH}: 5 5",
        f"{LENGTH}: 0x10",
        f"{LENGTH}: 1e3",
        f"{LENGTH}:",
        f"{LENGTH}: \xb2",
    ],
)
def test_invalid_header_lengths_are_refused(connection, upstream, path, header):
    """A value outside an int32 crashes releases 26.06 to 26.08, for every path."""
    connection.sendall(f"POST {path} HTTP/1.1\r\n{header}\r\nContent-Length: 2\r\n\r\n{{}}".encode("latin-1"))
    status, sentence = refusal(connection)
    assert (status, upstream.requests) == (400, [])
    assert LENGTH in sentence or "is duplicated" in sentence


@pytest.mark.parametrize("length", ["0", "2", "999999999"])
def test_valid_header_lengths_are_passed_on(connection, upstream, length):
    """24.10 and 26.08 answer 400 if it exceeds the body: utils/diagnosis/cases.py."""
    request = post(b"{}", f"{LENGTH}: {length}")
    connection.sendall(request)
    assert read(connection) == OK
    assert upstream.requests == [request]


WEIGHTS = {
    "gzip;q=1e999": False, "gzip;q=1e-999": False, "gzip, deflate;q=0x1p-2000": False, "gzip;q=": False,
    "gzip;q=nan": False, "deflate;Q=1e999, gzip": False, "gzip;q=1234567890": False, "gzip;q=0.5 5": False,
    "": True, "gzip": True, "gzip, deflate, br": True, "gzip;q=1.0, identity; q=0.5, *;q=0": True,
    "gzip;q=0.001;a=b ,deflate;q=0.5\t": True,
}  # fmt: skip


@pytest.mark.parametrize("weights", WEIGHTS)
def test_weights_of_accept_encoding(connection, upstream, weights):
    """Such a weight crashes releases up to 26.01."""
    request = post(b"{}", "accept-encoding: br", f"Accept-Encoding: {weights}")
    connection.sendall(request)
    if WEIGHTS[weights]:
        assert read(connection) == OK
        assert upstream.requests == [request]
    else:
        assert "Accept-Encoding" in refusal(connection)[1]
        assert upstream.requests == []


def test_the_limit_of_chunks(connection, upstream):
    head = b"POST /v2/models/m/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head + b"1\r\n1\r\n" * MAX_CHUNKS + b"0\r\n\r\n")
    assert read(connection) == OK
    connection.sendall(head + b"1\r\n1\r\n" * (MAX_CHUNKS + 1))
    assert refusal(connection) == (400, f"the body has more than {MAX_CHUNKS} chunks; send fewer, larger chunks")


def tensor(shape, **changes):
    return {"name": "x", "shape": shape, "datatype": "FP32", "data": [1.0], **changes}


def tensors(*shapes):
    return json.dumps({"inputs": [tensor(shape) for shape in shapes]}).encode()


SHAPES = {
    "overflows": (tensors([2**62]), (), False),
    "overflows to a product that is small": (tensors([2**32, 2**32]), (), False),
    "is no int64": (tensors([2**64 - 1]), (), False),
    "many small dims": (tensors([2] * 40), (), False),
    "of the second input": (tensors([1], [2**20]), (), False),
    "more elements than bytes": (tensors([100]), (), False),
    "spread over lines": (tensors([2**62]).replace(b'"shape": [', b'"shape"\r\n :\t[ \n'), (), False),
    "its name in codes": (tensors([2**62]).replace(b'"shape"', b'"\\u0073h\\u0061pe"'), (), False),
    "endless": (b'{"inputs":[{"shape":[1' + b" " * 5000, (), False),
    "endless dims": (tensors([1] * 4000), (), False),
    "behind a large id": (b'{"id":"%s",%s' % (b"x" * 65_530, tensors([2**62])[1:]), (), False),
    "compressed": (gzip.compress(tensors([LIMIT + 1])), ("Content-Encoding: gzip",), False),
    "before binary data": (tensors([2**62]) + b"abcd", (f"{LENGTH}: {len(tensors([2**62]))}",), False),
    "compressed, may become as large": (gzip.compress(tensors([LIMIT])), ("Content-Encoding: gzip",), True),
    "as many elements as there can be": (tensors([4, 5]), (), True),
    "none": (tensors([]), (), True),
    "empty": (tensors([2**40, 0]), (), True),
    "in a text": (json.dumps({"inputs": [tensor([1], data=['"shape":[99999999]'])]}).encode(), (), True),
    "no number": (tensors([1.5e300, "a"]), (), True),
    "in the binary data": (tensors([1]) + b'"shape":[99999999],', (f"{LENGTH}: {len(tensors([1]))}",), True),
}


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", SHAPES)
def test_shapes_larger_than_the_data_are_refused(connection, upstream, name, size):
    """Releases up to 25.05 allocate memory for it first, without a limit."""
    body, headers, is_good = SHAPES[name]
    request = post(body, *headers)
    step = max(size, len(request) // 300)
    for start in range(0, len(request), step):
        connection.sendall(request[start : start + step])
    if is_good:
        assert read(connection) == OK
        assert upstream.requests == [request]
    else:
        status, sentence = refusal(connection)
        assert (status, "shape" in sentence, upstream.requests) == (400, True, [])


def test_shapes_outside_inference_requests_are_ignored(connection, upstream):
    request = post(b'{"shape":[99999999]}', path="/v2/models/m/generate")
    connection.sendall(request)
    assert read(connection) == OK


def test_inputs_in_shared_memory_may_exceed_the_request(upstream):
    """The admin key opens the shared memory APIs."""
    upstream.answer = OK
    address = guarded(upstream.listening.getsockname(), Rules(LIMIT, may_share=True))
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(post(tensors([LIMIT])))
        assert read(client) == OK
        client.sendall(post(tensors([LIMIT + 1])))
        assert refusal(client)[0] == 400


def classified(name=b"classification"):
    return b'{"inputs":[],"outputs":[{"name":"y","parameters":{"%s" : 1}}]}' % name


@pytest.mark.parametrize("name", [b"classification", b"cl\\u0061ssific\\u0061tio\\u006E"])
@pytest.mark.parametrize("rules", [RULES, Rules(LIMIT)], ids=["ends the release", "works"])
def test_classes_are_refused_on_releases_that_crash(upstream, rules, name):
    """Up to 25.06 Triton divides by the size of a text, which is 0."""
    upstream.answer = OK
    with socket.create_connection(guarded(upstream.listening.getsockname(), rules), timeout=10) as client:
        client.sendall(post(json.dumps({"id": '"classification":'}).encode()))
        assert read(client) == OK
        client.sendall(post(classified(name)))
        if rules.may_classify:
            assert read(client) == OK
        else:
            assert "leave out the parameter 'classification'" in refusal(client)[1]
