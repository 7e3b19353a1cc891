"""Generated invalid HTTP and gRPC, byte by byte. The server survives, and answers without internal details.

Of HTTP: what comes back are answers, each with a body of JSON; an error says "error" and nothing else. Of
gRPC: a status with a sentence, or an answer. After it a good request on a connection of its own is answered.
"""

import contextlib
import json
import socket

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from tests.fuzz.profile import examples
from tests.server.faults.raw_http import exchange
from utils.diagnosis.target import GOOD, LEAK, binary_body, infer_body

# Long enough for an answer of this small model; what a spoiled request waits for never comes.
SILENCE = 0.15
CHECKED_EVERY = 10
STATUSES = {200, 400, 404, 405, 408, 413, 415, 431, 503}
METHODS = ["POST"] * 30 + ["GET", "PUT", "OPTIONS", "post", "", "PRI", "\0", "A" * 300]
TARGETS = ["/v2/models/{model}/infer"] * 30 + [
    "/v2/models/{model}/generate", "/v2/health/ready", "/v2/models/{model}", "/v2/models/{model}/infer?a=/infer", "/",
    "", "*", "http://a/v2", "/v2/models/%00/infer", "/v2/models/" + "x" * 5000 + "/infer", "//", "/v2/../..", "/%",
]  # fmt: skip
VERSIONS = ["HTTP/1.1"] * 40 + ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.11", "http/1.1", ""]
LENGTHS = ["0", "1", "-1", "+5", "5, 5", " 5", "0x10", "1e3", "9" * 30, str(2**31), str(2**63), "", "x", "5\t"]
HEADERS = [
    "Connection: close", "Connection: keep-alive", "Expect: 100-continue", "Expect: nothing", "Upgrade: h2c",
    "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity", " folded: 1",
    "Transfer-Encoding : chunked", "Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: br",
    "Accept-Encoding: gzip", "No colon", ": no name", "A: \0", "A: \x80\xff", "A: " + "b" * 40_000, "Host: b\nC: d",
    "Accept-Encoding: gzip;q=1e999", "Inference-Header-Content-Length: 99999999999",
    "Inference-Header-Content-Length: 0", "Inference-Header-Content-Length: 3", "Content-Type: text/html",
]  # fmt: skip
LINE_ENDS = ["\r\n"] * 30 + ["\n", "\r", "\r\r\n", "\r\n\0"]


def bodies():
    """(further headers, body)"""
    good = st.sampled_from([b"", infer_body(), infer_body([GOOD, "a"]), b'{"text_input":"a"}', b"[" * 5000, b'{"a'])
    binary = st.lists(st.binary(max_size=9), min_size=1, max_size=3).map(lambda texts: binary_body(*texts))
    plain = (good | st.binary(max_size=50)).map(lambda body: ({}, body))
    return plain | binary


@st.composite
def chunked(draw, body):
    sizes = draw(st.lists(st.integers(1, 60), max_size=4))
    parts, at = [], 0
    for size in [*sizes, len(body)]:
        part = body[at : at + size]
        at += len(part)
        right = f"{len(part):x}"
        message = draw(st.sampled_from([right] * 30 + ["0", "-1", "g", "", "f" * 20, f"{right};a=b", "ff"]))
        parts.append(message.encode() + b"\r\n" + part + draw(st.sampled_from([b"\r\n"] * 30 + [b"", b"\n"])))
    ends = [b"0\r\n\r\n"] * 12 + [b"0\r\nA: b\r\n\r\n", b"", b"0\r\n", b"00\r\n\r\n"]
    return b"".join(parts) + draw(st.sampled_from(ends))


@st.composite
def messages(draw):
    """One request, sometimes a valid one."""
    headers, body = draw(bodies())
    lines = [" ".join(draw(st.sampled_from(words)) for words in (METHODS, TARGETS, VERSIONS))]
    if draw(st.integers(0, 3)) == 0:
        lines.append("Transfer-Encoding: chunked")
        body = draw(chunked(body))
    else:
        lines.append(f"Content-Length: {draw(st.sampled_from([str(len(body))] * 40 + LENGTHS))}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += draw(st.just([]) | st.lists(st.sampled_from(HEADERS), max_size=2))
    end = draw(st.sampled_from(LINE_ENDS))
    return (end.join(draw(st.permutations(lines)) if draw(st.integers(0, 30)) == 0 else lines) + end * 2), body


@st.composite
def streams(draw):
    """One connection's requests [(head, body), ...], the changes to the bytes, and the sizes of the parts."""
    sent = draw(st.lists(messages(), min_size=1, max_size=4))
    kept = draw(st.just(1.0) | st.just(1.0) | st.floats(0, 1))
    flipped = draw(st.none() | st.none() | st.tuples(st.floats(0, 1), st.integers(0, 255)))
    return sent, kept, flipped, draw(st.sampled_from([1 << 20, 1 << 20, 500, 37]))


def bytes_of(stream, model):
    sent, kept, flipped, size = stream
    content = b"".join(head.replace("{model}", model).encode("latin-1") + body for head, body in sent)
    content = content[: int(len(content) * kept)]
    if flipped and content:
        at = min(int(len(content) * flipped[0]), len(content) - 1)
        content = content[:at] + bytes([flipped[1]]) + content[at + 1 :]
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.fixture
def checked(target):
    """Call after each example; counts the results as well."""
    seen = {}

    def check(*kinds):
        for kind in kinds:
            seen[kind] = seen.get(kind, 0) + 1
        seen["examples"] = seen.get("examples", 0) + 1
        if seen["examples"] % CHECKED_EVERY == 0:
            target.assert_unharmed()

    yield check
    target.assert_unharmed()
    print(seen)


@pytest.mark.long("fused")
def test_broken_http(target, checked):
    @given(stream=streams())
    @examples(150)
    def check(stream):
        replies = exchange(target, bytes_of(stream, target.model), silence=SILENCE)
        for reply in replies:
            assert reply.status in STATUSES, reply
            assert not LEAK.search(reply.text), reply.text[:300]
            if reply.status != 200 and reply.body:
                length = reply.text.rfind("}") + 1
                assert set(json.loads(reply.text[:length])) == {"error"}, reply
        checked(*(reply.status for reply in replies))

    check()


GOOD_CALL = service_pb2.ModelInferRequest(
    inputs=[{"name": "text_input", "datatype": "BYTES", "shape": [1, 1]}], raw_input_contents=[b"\4\0\0\0good"]
)
METHODS_OF_GRPC = ["ModelInfer"] * 5 + ["ServerReady", "ModelMetadata", "ModelReady", "Nothing", "ModelConfig", ""]


@st.composite
def calls(draw, model):
    """Bytes of a protobuf with contradicting fields or invalid bytes."""
    call = service_pb2.ModelInferRequest()
    call.CopyFrom(GOOD_CALL)
    call.model_name = draw(st.sampled_from([model, model, model, "", "absent", "\0", "x" * 5000]))
    if draw(st.booleans()):
        call.raw_input_contents[:] = draw(st.lists(st.binary(max_size=20) | st.just(b"\xff\xff\xff\xff"), max_size=3))
    if draw(st.booleans()):
        call.inputs[0].shape[:] = draw(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9), max_size=4))
    if draw(st.integers(0, 3)) == 0:
        call.inputs[0].contents.bytes_contents.extend(draw(st.lists(st.binary(max_size=9), max_size=3)))
    if draw(st.integers(0, 3)) == 0:
        call.inputs[0].datatype = draw(st.sampled_from(["FP32", "INT64", "", "bytes", "x" * 99]))
    if draw(st.integers(0, 3)) == 0:
        call.inputs[0].parameters["binary_data_size"].int64_param = draw(st.integers(-(2**63), 2**63 - 1))
    if draw(st.integers(0, 3)) == 0:
        call.inputs.append(call.inputs[0])
    content = call.SerializeToString()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(max_size=4)) + content[at + draw(st.integers(0, 4)) :]
    return content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 4)) == 0 else content


def test_broken_grpc(target, checked):
    with grpc.insecure_channel(target.server.address.grpc) as channel:

        @given(content=calls(target.model), method=st.sampled_from(METHODS_OF_GRPC))
        @examples(200)
        def check(content, method):
            path = f"/inference.GRPCInferenceService/{method}"
            try:
                channel.unary_unary(path)(content, timeout=10)
                code = grpc.StatusCode.OK
            except grpc.RpcError as error:
                code = error.code()
                assert code not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN), error
                assert error.details() or code == grpc.StatusCode.UNIMPLEMENTED, error  # the library's own word
                assert not LEAK.search(error.details()), error
            checked(code.name)

        check()


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def test_bytes_that_are_not_grpc(target, checked):
    host, port = target.server.address.grpc.split(":")

    @given(content=st.binary(max_size=200) | st.binary(max_size=200).map(lambda frames: PREFACE + frames))
    @examples(60)
    def check(content):
        with socket.create_connection((host, int(port)), 5) as connection, contextlib.suppress(OSError):
            connection.sendall(content)
            connection.settimeout(0.02)
            connection.recv(1 << 16)
        checked()

    check()
