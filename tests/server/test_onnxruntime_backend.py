"""The backend "onnxruntime" in a real Triton, on graphs made here: its answers, its batches, its errors.

The backend is this project's stand-in in Python, held to what the C++ backend was measured to do (its own docstring
names the source). What the C++ backend does to memory, and its speed, a stand-in cannot show.
"""

import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from tests.server.backend_models import CONFIG, TABLE, add_model, text_graph

NAMED = """
default_model_filename: "other.onnx"
parameters { key: "intra_op_thread_count" value { string_value: "-1" } }
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
        expected = [client.InferRequestedOutput(name) for name in outputs]
        return connection.infer(model, [tensor], outputs=expected)


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


def test_gives_only_the_requested_outputs(server):
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


def attempt(server, ids, client=triton_grpc):
    try:
        return ask(server, "sum", ids, client=client).as_numpy("sum")
    except InferenceServerException as error:
        return error


def test_a_request_at_fault_fails_all_that_share_its_run(server):
    """The C++ backend answers every request of a failed run with ONNX Runtime's text, as 500 over HTTP."""
    batches = [[[0, 1]], [[1, 99]], [[2, 3]]]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda ids: attempt(server, ids), batches))
    assert [answer.status() for answer in answers] == ["StatusCode.INTERNAL"] * 3
    assert {answer.message() for answer in answers} == {
        "onnx runtime error 2: Non-zero status code returned while running Gather node. Name:'lookup/rows' "
        "Status Message: indices element out of data bounds, idx=99 must be within the inclusive range [-5,4]"
    }
    np.testing.assert_array_equal(attempt(server, batches[0]), TABLE[batches[0]].sum(axis=1))


def test_over_http_a_failed_run_shows_no_part_of_the_graph(server):
    """The guard says it in its own words."""
    answer = attempt(server, [[1, 99]], triton_http)
    assert (answer.status(), "check their values" in answer.message()) == ("500", True)
    assert "lookup" not in answer.message()


def post_text(server, raw):
    with triton_http.InferenceServerClient(server.address.http) as connection:
        tensor = triton_http.InferInput("text", [len(raw), 1], "BYTES")
        tensor.set_data_from_numpy(np.array(raw, dtype=object).reshape(-1, 1))
        return connection.infer("text", [tensor]).as_numpy("same").ravel().tolist()


def test_text_tensors_travel_as_utf8(server):
    texts = [text.encode() for text in ("Привет, мир", "日本語 👍", "", "naïve")]
    assert post_text(server, texts) == texts


def test_text_ends_at_its_first_nul_and_any_other_byte_passes_through(server):
    texts = [b"before\x00after", b"\xff\xfe", b"\x00", "Ж\x00".encode(), b"whole"]
    assert post_text(server, texts) == [b"before", b"\xff\xfe", b"", "Ж".encode(), b"whole"]
