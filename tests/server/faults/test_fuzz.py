"""Generated request bodies: each gets a JSON answer without internal details, and does not affect others.

Mutations of good requests in both forms, JSON and binary, and raw bytes. What must hold of every answer:

- HTTP: an answer within LONGEST_ANSWER seconds; the server stands, with the processes it had.
- The body is JSON: an object with the two outputs (200) or with "error" and nothing else. The error quotes what it was
  sent, so that a leak is looked for where the request did not put it.
- A bad request gets 400, whoever refuses it: nothing that can be sent is a fault of the server's.
- After it, the good request gets the same bytes as before: looked at after every CHECKED_EVERY answers, after any
  answer that is not expected, and in each step in which Hypothesis looks for the smallest one.

What lies below the request (a bad Content-Length, no HTTP at all) is in test_transport.py.
"""

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.mutations import documents, json_files, odd_values
from tests.fuzz.profile import examples
from utils.diagnosis.target import GOOD, LEAK, binary_body

LONGEST_ANSWER = 10.0
CHECKED_EVERY = 10
TENSOR = {"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "data": [GOOD]}
FORMS = [
    {"inputs": [TENSOR]},
    {"inputs": [{**TENSOR, "shape": [2, 1], "data": [GOOD, "a"]}]},
    {
        "id": "one",
        "parameters": {"priority": 1, "timeout": 10**9, "binary_data_output": False, "own": "x"},
        "inputs": [{**TENSOR, "parameters": {"binary_data_size": 4, "shared_memory_region": "r"}}],
        "outputs": [
            {"name": "predicts", "parameters": {"binary_data": True}},
            {"name": "scores", "parameters": {"classification": 1}},
        ],
    },
]


class Watch:
    """Sends requests, checks each answer, and checks the valid request regularly."""

    def __init__(self, target):
        self.target, self.sent, self.seen = target, 0, {}

    def answer(self, path, body, headers):
        connection = self.target.connect(timeout=LONGEST_ANSWER)
        with contextlib.closing(connection):
            connection.request("POST", f"/v2/models/{self.target.model}/{path}", body, headers)
            response = connection.getresponse()
            content = response.read()
        length = int(response.headers.get("Inference-Header-Content-Length", len(content)))
        return response.status, content, content[:length]

    def judge(self, path, body, headers):
        self.sent += 1
        try:
            status, content, document = self.answer(path, body, headers)
            self.seen[status] = self.seen.get(status, 0) + 1
            assert not LEAK.search(content.decode("utf-8", "replace")), content[:500]
            _check(status, json.loads(document), path)
        except BaseException:
            self.target.assert_unharmed()  # what the example did is printed below; a server it killed comes first
            raise
        if self.sent % CHECKED_EVERY == 0:
            self.target.assert_unharmed()


def _check(status, answer, path):
    assert status in (200, 400), (status, answer)
    if status == 200:
        names = {each["name"] for each in answer["outputs"]} if path == "infer" else set(answer)
        assert names and (path == "generate" or names <= {"predicts", "scores"})
        return
    assert set(answer) == {"error"} and isinstance(answer["error"], str) and answer["error"]


@pytest.fixture
def watch(target):
    watch = Watch(target)
    yield watch
    target.assert_unharmed()
    print(f"{watch.sent} requests: {dict(sorted(watch.seen.items()))}")


@pytest.mark.long("fused")
@given(body=st.sampled_from(FORMS).flatmap(json_files) | st.binary(max_size=100))
@examples(120)
def test_a_json_body(body, watch):
    watch.judge("infer", body, {})


@pytest.mark.long("fused")
@given(body=json_files({"text_input": GOOD, "id": "a"}) | st.binary(max_size=100))
@example(body=b'{"\\u0000": 1, "\\u0000": null}')
@examples(80)
def test_a_body_for_generate(body, watch):
    watch.judge("generate", body, {})


LENGTHS = ["", "0", "-1", "1", "x", "1.5", " 2", "9" * 30, str(2**31), str(2**63), "0x10"]


@st.composite
def binary_requests(draw):
    """(headers, body): texts in the binary form; their lengths, the head's, and the declared sizes may all be wrong."""
    texts = draw(st.lists(st.binary(max_size=20) | st.just(GOOD.encode()), max_size=9))
    headers, body = binary_body(*texts)
    length = int(headers["Inference-Header-Content-Length"])
    head, raw = json.loads(body[:length]), body[length:]
    if draw(st.booleans()):
        parameters = head["inputs"][0]["parameters"]
        parameters["binary_data_size"] = draw(st.integers(-2, len(raw) + 5) | odd_values())
    if draw(st.booleans()):
        head = draw(documents(head))
    text = json.dumps(head, default=str).encode()
    if raw and draw(st.booleans()):
        at = draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + draw(st.binary(max_size=4)) + raw[at + draw(st.integers(0, 4)) :]
    near = st.integers(-2, 2).map(lambda more: str(len(text) + more))
    message = draw(st.just(str(len(text))) | st.just(str(len(text))) | near | st.sampled_from(LENGTHS))
    return {"Inference-Header-Content-Length": message}, text + raw


@pytest.mark.long("fused")
@given(request=binary_requests())
@examples(120)
def test_a_binary_body(request, watch):
    headers, body = request
    watch.judge("infer", body, headers)
