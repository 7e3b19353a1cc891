"""Rows 1 to 10 of the fault table (docs/faults.md): each request and its required answer."""

import gzip
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from utils.diagnosis.target import GOOD, Reply, Target, binary_body, infer_body

Send = Callable[[Target], Reply]

BAD_UTF8 = b"\xff\xfe"
MB = 1_000_000


@dataclass(frozen=True)
class Case:
    """A request, `send`, its required status, and `message`, a part of the error message.

    `plain`: plain Triton's answer, if the note of the row is not about this case. `since`: (first release, message from
    then on) for a message of Triton that changed; the statuses are the same.
    """

    row: int
    name: str
    send: Send
    status: int = 400
    message: str = ""
    plain: str = ""
    since: tuple[tuple[str, str], ...] = ()

    def message_of(self, release: str) -> str:
        """The required part of the error message of this release ("YY.MM")."""
        return next((message for first, message in reversed(self.since) if first <= release), self.message)


def changed(**changes: Any) -> Send:
    """A valid request with members of its tensor replaced."""
    return lambda target: target.infer(infer_body(**changes))


def raw(*values: bytes, shape: Sequence[int] | None = None) -> Send:
    """A request with these values in binary form."""

    def send(target: Target) -> Reply:
        headers, body = binary_body(*values, shape=shape)
        return target.infer(body, headers)

    return send


def many_parameters(target: Target) -> Reply:
    """24.10 takes 192 s for these."""
    parameters = b",".join(b'"own%d":1' % number for number in range(300_000))
    return target.infer(b'{"parameters":{' + parameters + b"}," + infer_body()[1:])


def many_chunks(target: Target) -> Reply:
    """One byte each."""
    body = b"1\r\n \r\n" * 65_537 + b"0\r\n\r\n"
    return target.infer(body, {"Transfer-Encoding": "chunked"})


def with_header(name: str, value: str) -> Send:
    """A valid request with one more header."""
    return lambda target: target.infer(infer_body(), {name: value})


def shortened(target: Target) -> Reply:
    """A text whose length prefix is one byte too large."""
    headers, body = binary_body(b"good")
    return target.infer(body.replace(b"\4\0\0\0", b"\5\0\0\0"), headers)


def request(change: Callable[[Any], object]) -> Send:
    """A valid request whose JSON was edited by `change`."""

    def send(target: Target) -> Reply:
        content = json.loads(infer_body())
        change(content)
        return target.infer(json.dumps(content))

    return send


def classes_of(output: str) -> Send:
    """A valid request for a classification."""
    return request(lambda c: c.update(outputs=[{"name": output, "parameters": {"classification": 1}}]))


def nested(depth: int, path: str = "infer") -> Send:
    """A request with `data` nested `depth` lists deep."""
    form = {"infer": infer_body(data="%"), "generate": b'{"text_input":"%"}'}[path]
    body = form.replace(b'"%"', b"[" * depth + b"]" * depth)
    return lambda target: target.send(f"/v2/models/{target.model}/{path}", body)


def bomb(target: Target) -> Reply:
    """68 KB that decompress to 70 MB."""
    return target.infer(gzip.compress(b" " * 70 * MB, 1), {"Content-Encoding": "gzip"})


def garbled(part: str) -> Send:
    """A valid request with a byte that is not UTF-8 in place of `part`."""
    body = json.dumps({"id": "some id", **json.loads(infer_body())}).encode()
    return lambda target: target.infer(body.replace(part.encode(), b"\x80"))


def with_member(name: str) -> Send:
    """/generate makes a parameter of each member that is no input."""
    return lambda target: target.send(f"/v2/models/{target.model}/generate", json.dumps({"text_input": GOOD, name: 0}))


def texts(*values: str) -> Send:
    """A batch of these texts."""
    return lambda target: target.infer(infer_body(values))


ROW_0, ROW_1 = (f"input 'text_input', row {row}: not valid UTF-8" for row in (0, 1))
SHAPE = "unexpected shape for input 'text_input'"
ELEMENTS = "more elements than the request has bytes for"
HEADER_LENGTH = "Inference-Header-Content-Length"
PARSER = "Unable to parse"
DEEP, LARGE = "nested more than 1000 levels deep", "larger than 67108864 bytes"
PARSERS, UNKNOWN, KILLED = "500, with the same sentence", "not noted", "the server ends"

CASES = [
    Case(1, "invalid UTF-8, binary", raw(BAD_UTF8), message=ROW_0),
    Case(1, "invalid UTF-8 in the second row, binary", raw(b"good", b"bad\xc3", shape=[2, 1]), message=ROW_1),
    Case(1, "invalid UTF-8, JSON", lambda t: t.infer(infer_body(("%",)).replace(b"%", BAD_UTF8)), message=ROW_0),
    Case(1, "invalid UTF-8 in an input's name", garbled("text_input"), message="'\ufffd'", plain="400, in no JSON"),
    Case(
        1, "invalid UTF-8 in the request's id", garbled("some id"), message="not valid UTF-8", plain="200, in no JSON"
    ),
    Case(
        1,
        "a lone surrogate, JSON",
        lambda t: t.infer(infer_body(("%",)).replace(b"%", b"\\ud800")),
        message="failed to parse",
        plain=PARSERS,
    ),
    Case(1, "a binary text shorter than its stated length", shortened, message="only 4 bytes available", plain=UNKNOWN),
    Case(3, "batch 0", changed(shape=[0, 1], data=[]), message="text_input"),
    Case(3, "batch max+1", texts(*["a"] * 9), message="batch-size must be <= 8"),
    Case(4, "shape [1,2]", changed(shape=[1, 2], data=["a", "b"]), message=SHAPE),
    Case(4, "shape [1,0]", changed(shape=[1, 0], data=[]), message=SHAPE),
    Case(4, "shape [2]", changed(shape=[2], data=["a", "b"]), message=SHAPE),
    Case(4, "more texts than rows", changed(data=["a", "b"]), message="text_input", plain=UNKNOWN),
    Case(4, "a shape whose size overflows", changed(shape=[2**62, 4]), message=ELEMENTS, plain=UNKNOWN),
    Case(4, "one number for [2^62]", changed(datatype="FP32", shape=[2**62], data=[1.0]), 400, ELEMENTS, KILLED),
    Case(5, "wrong dtype", changed(datatype="FP32", data=[1.0]), message="'FP32'"),
    Case(5, "a number in BYTES", changed(data=[3]), message=PARSER),
    Case(5, "null in BYTES", changed(data=[None]), message=PARSER),
    Case(5, "a number through /generate", lambda t: t.generate(3), message=PARSER),
    Case(6, "missing input", request(lambda c: c["inputs"].clear()), message="text_input"),
    Case(6, "extra input", request(lambda c: c["inputs"].append({**c["inputs"][0], "name": "more"})), message="more"),
    Case(6, "duplicate input", request(lambda c: c["inputs"].append(c["inputs"][0])), message="already exists"),
    Case(6, "misnamed input", changed(name="text"), message="unexpected inference input 'text'"),
    Case(6, "unknown output", request(lambda c: c.update(outputs=[{"name": "no"}])), message="'no'"),
    Case(6, "not JSON at all", lambda t: t.infer(b"nope"), message="failed to parse the request JSON", plain=PARSERS),
    Case(6, "no body", lambda t: t.infer(b""), message="needs a body", plain="200 with the label of an empty text"),
    Case(6, "no body, /generate", lambda t: t.send(f"/v2/models/{t.model}/generate", b""), message="failed to parse"),
    Case(
        6, "a compression nobody reads", with_header("Content-Encoding", "br"), 415, "Content-Encoding must be", "501"
    ),
    Case(6, "a header of 8,192 bytes", with_header("Own", "x" * 8192), 431, "longer than 8191 bytes", "no answer"),
    Case(6, "a header length beyond the body", with_header(HEADER_LENGTH, "500"), message="in range", plain="400"),
    Case(
        6,
        "a header length beyond an int32",
        with_header(HEADER_LENGTH, "99999999999"),
        message=f"{HEADER_LENGTH} must be",
        plain="400; 26.06 to 26.08: the server ends",
    ),
    Case(6, "a weight that is no double", with_header("Accept-Encoding", "gzip;q=1e999"), 400, "(q=)", KILLED),
    Case(
        6,
        "classes of an output of texts",
        classes_of("predicts"),
        message="leave out the parameter 'classification'",
        plain=KILLED,
        since=(("25.07", "unsupported type 'BYTES'"),),
    ),
    Case(6, "more than 65,536 chunks", many_chunks, message="more than 65536 chunks", plain="taken, each in memory"),
    Case(
        6,
        "lists nested 1,000 deep",
        nested(997),
        message="expected 1 string elements",
        plain=UNKNOWN,
        since=(("25.05", "JSON nesting depth exceeds maximum allowed limit (100)"),),
    ),
    Case(6, "lists nested 1,001 deep", nested(998), message=DEEP, plain=UNKNOWN),
    Case(6, "lists nested 40,000 deep", nested(40_000), message=DEEP, plain=KILLED),
    Case(6, "lists nested 20,000,000 deep", nested(20_000_000), message=DEEP, plain=KILLED),
    Case(6, "lists nested 40,000 deep, /generate", nested(40_000, "generate"), message=DEEP, plain=KILLED),
    Case(6, "300,000 parameters", many_parameters, message="more than 10000 members", plain="192 s of a thread, 200"),
    Case(6, "an unknown parameter", request(lambda c: c.update(parameters={"top": 2})), message="'top'", plain="200"),
    Case(6, "an unknown parameter, /generate", with_member("temperature"), message="'temperature'", plain="200"),
    Case(
        6, "a parameter with NUL in its name", request(lambda c: c.update(parameters={"a\0": 2})), 400, "'a'", PARSERS
    ),
    Case(6, "a parameter with NUL in its name, /generate", with_member("a\0"), message="'a'", plain=PARSERS),
    Case(7, "unknown model", lambda t: t.send("/v2/models/absent/infer", infer_body()), 404, "'absent'"),
    Case(7, "unknown version", lambda t: t.infer(infer_body(), version="/versions/9"), 404, "version 9"),
    Case(8, "empty text", texts(""), 200),
    Case(8, "spaces", texts("   \t\n"), 200),
    Case(8, "NUL", texts("a\0b"), 200),
    Case(8, "emoji", texts("👩‍👩‍👧‍👦🏴‍☠️"), 200),
    Case(8, "right-to-left", texts("שלום \u202e עולם"), 200),
    Case(8, "combining marks", texts("e" + "\u0301" * 500), 200),
    Case(9, "1 MB of words", texts("money back " * (MB // 11)), 200),
    Case(9, "1 MB of spaces", texts(" " * MB), 200),
    Case(9, "one word of 1 MB", texts("a" * MB), 200),
    Case(9, "1 MB without spaces", texts("漢字" * (MB // 6)), 200),
    Case(9, "one word of 20 MB", texts("a" * 20 * MB), 200, plain=UNKNOWN),
    Case(10, "a body above the input limit", lambda t: t.infer(b" " * 70 * MB), 413, LARGE),
    Case(10, "one that grows to it when decompressed", bomb, 413, LARGE, UNKNOWN),
]


def good_among_bad(target: Target, count: int) -> tuple[int, int]:
    """Row 2: `count` good texts and as many bad ones, 40 at once, so that the dynamic batcher mixes them.

    Returns the number of good ones with another answer than alone, and of bad ones without a 400 that names its row.
    """
    good = [infer_body([f"{GOOD} {number % 50}"]) for number in range(count)]
    expected = {body: target.infer(body).body for body in set(good)}
    headers, bad = binary_body(BAD_UTF8)

    def send_both(body: bytes) -> tuple[bool, bool]:
        connection = target.connect()
        try:
            replies = []
            for content, extra in ((body, {}), (bad, headers)):
                connection.request("POST", f"/v2/models/{target.model}/infer", content, extra)
                response = connection.getresponse()
                replies.append(Reply(response.status, response.read()))
        finally:
            connection.close()
        first, second = replies
        return first == Reply(200, expected[body]), second.status == 400 and ROW_0 in second.text

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(send_both, good))
    return sum(not first for first, _ in answers), sum(not second for _, second in answers)
