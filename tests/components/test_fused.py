"""The fused step with a small graph: a row's logits are the sum of its ids, its number of tokens, and 1."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.components.conftest import InferenceResponse, OlderResponse
from utils.repository.served_code import load_shared

OUTPUTS = {"predicts": "TYPE_STRING", "scores": "TYPE_FP32"}


def graph(factor=1.0):
    """`factor` times the sum of ids, the sum of the mask, 1: FP32 [B, 3]."""
    integers = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    factors = helper.make_tensor("factors", TensorProto.FLOAT, [3], [factor, 1.0, 1.0])
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "axis"], ["ids"]),
        helper.make_node("ReduceSum", ["attention_mask", "axis"], ["count"]),
        helper.make_node("Equal", ["count", "count"], ["truth"]),
        helper.make_node("Cast", ["truth"], ["one"], to=TensorProto.INT64),
        helper.make_node("Concat", ["ids", "count", "one"], ["all"], axis=1),
        helper.make_node("Cast", ["all"], ["plain"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["plain", "factors"], ["logits"]),
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
    made = helper.make_graph(nodes, "sums", integers, [output], [axis, factors])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture
def load(load_component, words):
    def make(factor=1.0, token_budget=8, inputs=("text_input",), **settings):
        content = {
            "max_length": 128,
            "truncation_side": "right",
            "padding": {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"},
            "score_function": "none",
            "top_k": 3,
            "answering": "ranked_labels",
            "graph_outputs": ["logits"],
            "token_budget": token_budget,
            "engine": "onnxruntime",
            "warm_up": ["a b", ""],
            **settings,
        }
        files = {
            "tokenizer.json": words.to_str(),
            "settings.json": content,
            "id2label.json": {"0": "sum", "1": "count", "2": "one"},
            "model.onnx": graph(factor),
        }
        return load_component("fused", dict.fromkeys(inputs, "TYPE_STRING"), OUTPUTS, files)

    return make


def texts(*values):
    return np.array([[value.encode() if isinstance(value, str) else value] for value in values], dtype=np.object_)


def expected(text):
    """By hand: [CLS] and [SEP] are 2 and 3, a to h are 4 to 11."""
    ids = [2, *("abcdefgh".index(word) + 4 for word in text.split()), 3]
    return {"sum": sum(ids), "count": len(ids), "one": 1}


def rows(response):
    predicts, scores = response.outputs["predicts"], response.outputs["scores"]
    return [
        dict(zip([label.decode() for label in row], scores[place], strict=True)) for place, row in enumerate(predicts)
    ]


@pytest.mark.parametrize("token_budget", [1, 8, 1000])
def test_rows_return_to_their_requests(load, request_of, token_budget):
    requests = [["a", "a b c d e f"], ["h g"], ["", "c", "b b b b"]]
    responses = load(token_budget=token_budget).execute([request_of(text_input=texts(*each)) for each in requests])
    assert [rows(response) for response in responses] == [[expected(text) for text in each] for each in requests]
    assert [response.outputs["predicts"].shape for response in responses] == [(2, 3), (1, 3), (3, 3)]


@pytest.mark.parametrize("release", [InferenceResponse, OlderResponse])
def test_truncated_rows_are_named(load, request_of, pb_utils, release):
    pb_utils.InferenceResponse = release
    requests = [texts("a", "a b c d e", "c", "a b c d e f"), texts("a"), texts(b"\xff")]
    named, whole, refused = load(max_length=5).execute([request_of(text_input=each) for each in requests])
    assert rows(named) == [expected(text) for text in ("a", "a b c", "c", "a b c")]
    assert refused.error.code() == "INVALID_ARG"
    if release is InferenceResponse:
        assert [each.parameters for each in (named, whole, refused)] == [{"truncated": "1,3"}, {}, {}]


def test_an_unknown_parameter_is_refused(load, request_of):
    refused, answered = load().execute(
        [request_of(text_input=texts("a"), parameters=each) for each in ({"prompt_name": "query"}, {})]
    )
    assert refused.error.code() == "INVALID_ARG" and "'prompt_name' is unknown" in refused.error.message()
    assert answered.error is None


def test_an_invalid_request_does_not_fail_others(load, request_of):
    requests = [texts("a"), texts("b", b"\xff"), texts("c")]
    before, bad, after = load().execute([request_of(text_input=each) for each in requests])
    assert bad.error.code() == "INVALID_ARG"
    assert bad.error.message() == "input 'text_input', row 1: not valid UTF-8 (byte 0)"
    assert (rows(before), rows(after)) == ([expected("a")], [expected("c")])


def test_logits_that_are_not_finite_fail_their_own_request(load, request_of):
    infinite, finite = load(factor=3e37).execute(
        [request_of(text_input=texts("h h h h h", "a")), request_of(text_input=texts(""))]
    )
    assert infinite.error.code() == "INTERNAL"
    assert "not finite" in infinite.error.message()
    assert finite.error is None


def test_two_inputs_are_pairs(load, request_of):
    model = load(inputs=("query", "document"))
    (response,) = model.execute([request_of(document=texts("c", "d a"), query=texts("a b", "c"))])
    sums = [4 + 5 + 6 + 2 + 3 + 3, 6 + 7 + 4 + 2 + 3 + 3]
    assert [row["sum"] for row in rows(response)] == sums


def test_padding_is_on_the_configured_side(load):
    module = load_shared("tokenization")
    tokenizer = load().tokenizer
    padding = {"id": 9, "type_id": 0, "token": "h", "side": "left", "length": 6}
    arrays = module.arrays(
        module.tokenize(tokenizer, ["a"]), {"input_ids": "int64", "attention_mask": "int64"}, padding
    )
    assert arrays["input_ids"].tolist() == [[9, 9, 9, 2, 4, 3]]
    assert arrays["attention_mask"].tolist() == [[0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize("options", [{}, {"threads": 3}])
def test_the_build_can_set_the_threads(load, options):
    session, awaited = load(**options).session, options.get("threads") or load_shared("container_limits").cpu_count()
    assert session.session.get_session_options().intra_op_num_threads == awaited
    assert session.pool._max_workers == awaited


@pytest.mark.parametrize(("threads", "memory", "awaited"), [(3, 1 << 30, [3, 1]), (3, 4, [3, 3]), (1, 1 << 30, [1, 1])])
def test_parallel_batches_use_one_thread_each_if_memory_suffices(
    load, request_of, monkeypatch, threads, memory, awaited
):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": memory, "SC_PAGE_SIZE": 1}.get)
    model = load(threads=threads)
    sessions = (model.session.session, model.session.beside)
    assert [each.get_session_options().intra_op_num_threads for each in sessions] == awaited
    (response,) = model.execute([request_of(text_input=texts("a b c d e f", "h g", ""))])
    assert rows(response) == [expected(text) for text in ("a b c d e f", "h g", "")]


def test_external_weights_count_as_memory(tmp_path):
    for name, content in {"model.onnx": b"12345", "model.onnx_data": b"1234567", "other": b"1"}.items():
        (tmp_path / name).write_bytes(content)
    assert load_shared("onnxruntime_session").size(tmp_path / "model.onnx") == 12


@pytest.mark.parametrize(("waiting", "batches"), [(1, 1), (4, 2), (64, 8)])
def test_few_rows_are_spread_over_the_threads(load, waiting, batches):
    session = load(threads=2, token_budget=256).session
    assert len(session.batches([20] * waiting)) == batches


def cpus_of_threads():
    return [
        line.split()[1]
        for task in Path("/proc/self/task").iterdir()
        for line in (task / "status").read_text().splitlines()
        if line.startswith("Cpus_allowed_list")
    ]


@pytest.mark.parametrize(("threads", "pinned"), [(2, 1), (1, 0), (3, 0)])
def test_each_thread_has_a_cpu_if_there_is_one_for_each(load, monkeypatch, threads, pinned):
    cpu = max(os.sched_getaffinity(0))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {-1, cpu})
    before = cpus_of_threads().count(str(cpu))
    kept = load(threads=threads)
    assert cpus_of_threads().count(str(cpu)) - before == pinned, kept
