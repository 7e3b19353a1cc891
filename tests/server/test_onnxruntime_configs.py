"""Which configs the backend "onnxruntime" loads for a graph, in a real Triton, and what it says of the others.

The sentences are those of the C++ backend: source in deploy/pypi_triton/backends/onnxruntime/model.py.
"""

import pytest

from tests.server.backend_models import CONFIG, add_model, sum_graph
from utils.host.errors import BootProofError
from utils.triton.server import serve

THREADS = 'parameters { key: "intra_op_thread_count" value { string_value: "two" } } backend:'


@pytest.mark.long("dims: ?3?-dims: ?4?*", '"sum"*')
@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (
            "TYPE_INT64",
            "TYPE_INT32",
            "configuration expects datatype TYPE_INT32 for input 'ids', model provides TYPE_INT64",
        ),
        ('"ids"', '"input_ids"', "unexpected inference input 'input_ids', allowed inputs are: ids"),
        ('"sum"', '"logits"', "unexpected inference output 'logits', allowed outputs are: rows, sum"),
        (
            "input [",
            'input [{ name: "mask" data_type: TYPE_INT64 dims: [-1] }, ',
            "unable to load model 'sum', configuration expects 2 inputs, model provides 1",
        ),
        (
            "dims: [3]",
            "dims: [4]",
            r"tensor 'sum': the model expects 2 dimensions \(shape \[-1,3\]\) but the model configuration specifies "
            r"2 dimensions \(an initial batch dimension because max_batch_size > 0 followed by the explicit tensor "
            r"shape, making complete shape \[-1,4\]\)",
        ),
        ("dims: [3]", "dims: [-1]", r"\(shape \[-1,3\]\) but .* making complete shape \[-1,-1\]\)"),
        ("dims: [-1, 3]", "dims: [64, 3]", r"\(shape \[-1,-1,3\]\) but .* making complete shape \[-1,64,3\]\)"),
        ("dims: [-1] ", "dims: [-1, 2] ", r"tensor 'ids': the model expects 2 dimensions .* specifies 3 dimensions"),
        ("backend:", 'default_model_filename: "absent.onnx" backend:', "unable to find '.*/1/absent.onnx' for model"),
        ("backend:", THREADS, "failed to convert 'two' to int integral number"),
        ("dims: [-1] ", "dims: [-1] optional: true ", "configuration expects 0 inputs, model provides 1"),
    ],
)
def test_a_config_that_does_not_fit_the_graph_is_not_loaded(tmp_path, before, after, reason):
    assert before in CONFIG
    add_model(tmp_path, "sum", CONFIG.replace(before, after, 1))
    with pytest.raises(BootProofError, match=reason), serve(tmp_path):
        pass


def test_inputs_are_compared_loosely_and_outputs_with_what_the_session_infers(tmp_path, serve_repository):
    """The file leaves the sum's size free and the session infers 3. The second config fixes an input that is free."""
    add_model(tmp_path, "inferred", graph=sum_graph(declared="any"))
    add_model(tmp_path, "fixed", CONFIG.replace("dims: [-1] ", "dims: [2] "))
    assert serve_repository(tmp_path)


def test_an_output_that_the_session_infers_cannot_stay_free(tmp_path):
    add_model(tmp_path, "sum", CONFIG.replace("dims: [3]", "dims: [-1]"), graph=sum_graph(declared="any"))
    with pytest.raises(BootProofError, match=r"shape \[-1,3\]\) but"), serve(tmp_path):
        pass


def test_a_graph_of_a_fixed_batch_is_not_loaded_for_batching(tmp_path):
    add_model(tmp_path, "sum", graph=sum_graph(batch=1))
    reason = r"the first dimension must be -1; but shape expected by the model is \[1,-1\]"
    with pytest.raises(BootProofError, match=reason), serve(tmp_path):
        pass


def test_a_file_that_is_no_graph_is_not_loaded(tmp_path):
    add_model(tmp_path, "sum")
    (tmp_path / "sum/1/model.onnx").write_bytes(b"not a graph")
    with pytest.raises(BootProofError, match=r"onnx runtime error 7: .*Protobuf parsing failed"), serve(tmp_path):
        pass
