"""Rows 1 to 9 over gRPC: the status codes for HTTP's 400 and 404, and the same sentences."""

import struct
from dataclasses import dataclass, field

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from utils.diagnosis.cases import BAD_UTF8, MB, ROW_0, ROW_1, SHAPE
from utils.diagnosis.target import GOOD, LEAK

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


@pytest.fixture(scope="module")
def stub(target):
    with grpc.insecure_channel(target.server.address.grpc) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def call(model, *texts, shape=None, name="text_input", datatype="BYTES", raw=True, **changes):
    tensor = {"name": name, "datatype": datatype, "shape": shape or [len(texts), 1]}
    if not raw:
        tensor["contents"] = {"bytes_contents": texts}
    contents = [b"".join(struct.pack("<I", len(text)) + text for text in texts)] if raw else []
    return service_pb2.ModelInferRequest(
        **{"model_name": model, "inputs": [tensor], "raw_input_contents": contents, **changes}
    )


@dataclass(frozen=True)
class Case:
    """The arguments of `call`, the expected sentence, and its code."""

    texts: tuple[bytes, ...] = (b"good",)
    says: str = ""
    code: grpc.StatusCode = INVALID
    changes: dict = field(default_factory=dict)


CASES = {
    "invalid UTF-8": Case((BAD_UTF8,), ROW_0),
    "invalid UTF-8 in the second row": Case((b"good", b"bad\xc3"), ROW_1),
    "invalid UTF-8, not raw": Case((BAD_UTF8,), ROW_0, changes={"raw": False}),
    "a length longer than the text": Case(
        says="text_input", changes={"raw_input_contents": [struct.pack("<I", 5) + b"good"]}
    ),
    "batch 0": Case((), "text_input", changes={"shape": [0, 1]}),
    "batch max+1": Case((b"a",) * 9, "batch-size must be <= 8"),
    "shape [1,2]": Case((b"a", b"b"), SHAPE, changes={"shape": [1, 2]}),
    "shape [1,0]": Case((), SHAPE, changes={"shape": [1, 0]}),
    "shape [2]": Case((b"a", b"b"), SHAPE, changes={"shape": [2]}),
    "more texts than rows": Case((b"a", b"b"), "text_input", changes={"shape": [1, 1]}),
    "a negative shape": Case(says="text_input", changes={"shape": [-1, 1]}),
    "wrong dtype": Case(says="'FP32'", changes={"datatype": "FP32"}),
    "missing input": Case(says="text_input", changes={"inputs": [], "raw_input_contents": []}),
    "misnamed input": Case(says="unexpected inference input 'text'", changes={"name": "text"}),
    "unknown output": Case(says="'no'", changes={"outputs": [{"name": "no"}]}),
    "unknown model": Case(says="'absent'", code=NOT_FOUND, changes={"model_name": "absent"}),
    "unknown version": Case(says="version 9", code=NOT_FOUND, changes={"model_version": "9"}),
}
STRANGE = [
    "",
    "   \t\n",
    "a\0b",
    "👩‍👩‍👧‍👦🏴‍☠️",
    "שלום \u202e עולם",
    "e" + "\u0301" * 500,
    "money back " * (MB // 11),
    "a" * MB,
]


@pytest.mark.parametrize("name", CASES)
def test_calls_get_their_status(target, stub, name):
    case = CASES[name]
    with pytest.raises(grpc.RpcError) as raised:
        stub.ModelInfer(call(target.model, *case.texts, **case.changes), timeout=10)
    assert (raised.value.code(), case.says in raised.value.details()) == (case.code, True), raised.value.details()
    assert not LEAK.search(raised.value.details())
    target.assert_unharmed()


@pytest.mark.parametrize("text", STRANGE, ids=lambda text: repr(text[:10]))
def test_unusual_texts_are_answered(target, stub, text):
    answer = stub.ModelInfer(call(target.model, text.encode()), timeout=10)
    assert {output.name for output in answer.outputs} == {"predicts", "scores"}
    target.assert_unharmed()


def test_an_invalid_text_in_a_stream_does_not_fail_others(target, stub):
    """ModelStreamInfer: the stream continues after the error."""
    texts = [GOOD.encode(), BAD_UTF8, GOOD.encode(), BAD_UTF8, GOOD.encode()]
    calls = [call(target.model, text, id=str(number)) for number, text in enumerate(texts)]
    answers = list(stub.ModelStreamInfer(iter(calls), timeout=30))
    good = [answer.infer_response for answer in answers if not answer.error_message]
    assert sorted(each.id for each in good) == ["0", "2", "4"]
    assert len({tuple(each.raw_output_contents) for each in good}) == 1
    bad = [answer.error_message for answer in answers if answer.error_message]
    assert len(bad) == 2
    assert all(ROW_0 in message and not LEAK.search(message) for message in bad)
    target.assert_unharmed()
