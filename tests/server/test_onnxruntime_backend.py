"""The backend "onnxruntime" in a real Triton, on graphs made here."""

import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from onnx import TensorProto, helper, numpy_helper
from tritonclient.utils import InferenceServerException

from utils.errors import BootProofError
from utils.local_triton import serve

TABLE = np.arange(15, dtype=np.float32).reshape(5, 3)
CONFIG = """
backend: "onnxruntime"
max_batch_size: 8
dynamic_batching { max_queue_delay_microseconds: 300000 }
input [{ name: "ids" data_type: TYPE_INT64 dims: [-1] }]
output [{ name: "sum" data_type: TYPE_FP32 dims: [3] }, { name: "rows" data_type: TYPE_FP32 dims: [-1, 3] }]
"""

NAMED = """
default_model_filename: "other.onnx"
parameters { key: "intra_op_thread_count" value { string_value: "1" } }
instance_group { count: 2 }
"""
SINGLE = """
backend: "onnxruntime"
input { name: "ids" data_type: TYPE_INT64 dims: [-1, -1] }
output { name: "sum" data_type: TYPE_FP32 dims: [-1, 3] }
"""
TEXT = """
backend: "onnxruntime"
max_batch_size: 8
input { name: "text" data_type: TYPE_STRING dims: [1] }
output { name: "same" data_type: TYPE_STRING dims: [1] }
"""


def add_model(repository, name, config=CONFIG, *, graph=None, external=False, file="model.onnx"):
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config)
    model = helper.make_model(graph or sum_graph(), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = {"save_as_external_data": True, "location": "model.onnx_data", "size_threshold": 64} if external else {}
    onnx.save_model(model, folder / file, **options)


def sum_graph(batch="batch"):
    """ids [batch, length] -> the rows of TABLE with these numbers, and their sum."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("ReduceSum", ["rows", "axes"], ["sum"], keepdims=0),
    ]
    constants = [numpy_helper.from_array(TABLE, "table"), numpy_helper.from_array(np.array([1], np.int64), "axes")]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, [batch, "length"])]
    outputs = [
        helper.make_tensor_value_info("sum", TensorProto.FLOAT, [batch, 3]),
        helper.make_tensor_value_info("rows", TensorProto.FLOAT, [batch, "length", 3]),
    ]
    return helper.make_graph(nodes, "sum", inputs, outputs, constants)


def text_graph():
    inputs = [helper.make_tensor_value_info("text", TensorProto.STRING, ["batch", 1])]
    outputs = [helper.make_tensor_value_info("same", TensorProto.STRING, ["batch", 1])]
    return helper.make_graph([helper.make_node("Identity", ["text"], ["same"])], "same", inputs, outputs)


@pytest.fixture(scope="module")
def server(tmp_path_factory, serve_repository):
    repository = tmp_path_factory.mktemp("with a space") / "models"
    add_model(repository, "sum")
    add_model(repository, "external", external=True)
    add_model(repository, "named", CONFIG + NAMED, file="other.onnx")
    add_model(repository, "single", SINGLE)
    add_model(repository, "text", TEXT, graph=text_graph())
    return serve_repository(repository)


def ask(server, model, ids, outputs=("sum",), client=triton_grpc):
    address = server.address.grpc if client is triton_grpc else server.address.http
    with client.InferenceServerClient(address) as connection:
        array = np.array(ids, dtype=np.int64)
        tensor = client.InferInput("ids", list(array.shape), "INT64")
        tensor.set_data_from_numpy(array)
        wanted = [client.InferRequestedOutput(name) for name in outputs]
        return connection.infer(model, [tensor], outputs=wanted)


def counts(server, model):
    """(texts, executions) so far, from the metrics: statistics are closed without a key."""
    with urllib.request.urlopen(f"http://{server.metrics}/metrics") as answer:
        text = answer.read().decode()
    return tuple(
        int(re.search(rf'(?m)^nv_inference_{name}{{model="{model}",.*}} (\d+)$', text)[1])
        for name in ("count", "exec_count")
    )


@pytest.mark.parametrize("client", [triton_grpc, triton_http], ids=["grpc", "http"])
@pytest.mark.parametrize("model", ["sum", "external", "named", "single"])
def test_answers_as_the_graph_computes(server, model, client):
    ids = [[0, 4, 1], [2, 2, 2]]
    np.testing.assert_array_equal(ask(server, model, ids, client=client).as_numpy("sum"), TABLE[ids].sum(axis=1))


def test_gives_only_the_outputs_asked_for(server):
    answer = ask(server, "sum", [[1]], outputs=["rows"])
    assert [output.name for output in answer.get_response().outputs] == ["rows"]
    np.testing.assert_array_equal(answer.as_numpy("rows"), TABLE[[[1]]])


def test_requests_of_equal_shape_run_as_one_and_get_their_own_rows(server):
    before = counts(server, "sum")
    batches = [[[0, 1]], [[1, 2], [3, 4]], [[2, 3]], [[4, 4]]]
    outputs = [["sum"], ["sum", "rows"], ["sum"], ["sum"]]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda ids, names: ask(server, "sum", ids, names), batches, outputs))
    for ids, answer in zip(batches, answers, strict=True):
        np.testing.assert_array_equal(answer.as_numpy("sum"), TABLE[ids].sum(axis=1))
    np.testing.assert_array_equal(answers[1].as_numpy("rows"), TABLE[batches[1]])
    inferences, executions = np.subtract(counts(server, "sum"), before)
    assert inferences == 5
    assert executions < 4


def test_a_request_at_fault_fails_alone(server):
    batches = [[[0, 1]], [[1, 99]], [[2, 3]]]

    def attempt(ids):
        try:
            return ask(server, "sum", ids).as_numpy("sum")
        except InferenceServerException as error:
            return error

    with ThreadPoolExecutor(3) as pool:
        first, bad, last = pool.map(attempt, batches)
    np.testing.assert_array_equal(first, TABLE[batches[0]].sum(axis=1))
    np.testing.assert_array_equal(last, TABLE[batches[2]].sum(axis=1))
    assert bad.status() == "StatusCode.INVALID_ARGUMENT"
    assert "idx=99" in bad.message()
    assert "Traceback" not in bad.message()
    assert ".cc" not in bad.message()
    assert ".py" not in bad.message()


def post_text(server, raw):
    with triton_http.InferenceServerClient(server.address.http) as connection:
        tensor = triton_http.InferInput("text", [len(raw), 1], "BYTES")
        tensor.set_data_from_numpy(np.array(raw, dtype=object).reshape(-1, 1))
        return connection.infer("text", [tensor]).as_numpy("same").ravel().tolist()


def test_text_tensors_travel_as_utf8(server):
    texts = [text.encode() for text in ("Привет, мир", "日本語 👍", "", "naïve")]
    assert post_text(server, texts) == texts


def test_text_that_is_not_utf8_is_refused_by_name(server):
    with pytest.raises(InferenceServerException, match="input 'text' is not valid UTF-8") as refused:
        post_text(server, [b"\xff\xfe"])
    assert refused.value.status() == "400"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("TYPE_INT64", "TYPE_INT32", "input 'ids' is TYPE_INT32 in the config and TYPE_INT64 in the graph"),
        ('"ids"', '"input_ids"', "unexpected input 'input_ids' in the config; the graph's are: ids"),
        ('"ids"', '"input_ids"', "input 'ids' of the graph is not in the config"),
        ('"sum"', '"logits"', "unexpected output 'logits' in the config; the graph's are: sum, rows"),
        ("dims: [3]", "dims: [4]", r"output 'sum' has the shape \[-1, 4\] in the config and \[-1, 3\] in the graph"),
        ("dims: [3]", "dims: [-1]", r"output 'sum' has the shape \[-1, -1\] in the config and \[-1, 3\] in the graph"),
        ("dims: [-1] ", "dims: [-1, 2] ", r"input 'ids' has the shape \[-1, -1, 2\] in the config"),
        ("backend:", 'default_model_filename: "absent.onnx" backend:', "no file '.*/1/absent.onnx'"),
        (
            "backend:",
            'parameters { key: "intra_op_thread_count" value { string_value: "two" } } backend:',
            "parameter intra_op_thread_count is 'two'",
        ),
    ],
)
def test_a_config_that_does_not_fit_the_graph_is_not_loaded(tmp_path, before, after, reason):
    assert before in CONFIG
    add_model(tmp_path, "sum", CONFIG.replace(before, after, 1))
    with pytest.raises(BootProofError, match=reason), serve(tmp_path):
        pass


def test_a_graph_of_a_fixed_batch_is_not_loaded_for_batching(tmp_path):
    add_model(tmp_path, "sum", graph=sum_graph(batch=1))
    with pytest.raises(BootProofError, match="max_batch_size > 0 needs -1 first"), serve(tmp_path):
        pass


def test_a_file_that_is_no_graph_is_not_loaded(tmp_path):
    add_model(tmp_path, "sum")
    (tmp_path / "sum/1/model.onnx").write_bytes(b"not a graph")
    with pytest.raises(BootProofError, match="Protobuf parsing failed"), serve(tmp_path):
        pass
