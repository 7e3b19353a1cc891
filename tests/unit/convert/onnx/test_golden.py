import numpy as np
import onnxruntime
import pytest

from tests import small_graphs
from utils.convert.onnx.golden import ask_graph
from utils.convert.onnx.ready_graph import read_onnx
from utils.host.errors import ExportError, SourceError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some.onnx"


def ask(file, inputs=None):
    return ask_graph(read_onnx(file), inputs)


@pytest.mark.parametrize(
    ("make", "batched"),
    [
        (small_graphs.doubling, True),
        (small_graphs.detection, True),
        (small_graphs.one_number_a_row, True),
        (small_graphs.kinds, True),
        (small_graphs.external, True),
        (small_graphs.recognition, False),
        (small_graphs.scalars, False),
        (small_graphs.disagreeing, False),
        (small_graphs.mixing, False),  # told by running it
    ],
)
def test_answers_are_those_of_onnx_runtime(make, batched, file):
    proven = ask(make(file))
    assert proven.batched is batched
    graph = read_onnx(file)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for each in proven.pairs:
        feed = {tensor.name: as_graph(tensor, each.inputs[tensor.name], batched) for tensor in graph.inputs}
        for tensor, expected in zip(graph.outputs, session.run(None, feed), strict=True):
            np.testing.assert_array_equal(as_graph(tensor, each.outputs[tensor.name], batched), expected)


def as_graph(tensor, value, batched):
    """A golden value in the shape and type that the graph has it in."""
    dtype = {"FP16": "float16", "FP32": "float32", "FP64": "float64", "BYTES": object}.get(tensor.dtype)
    values = np.array(value.data, dtype=dtype or tensor.dtype.lower())
    shape = () if len(tensor.shape) == batched else value.shape
    return values.reshape((1, *shape) if batched else shape)


def test_the_same_requests_each_time(file):
    small_graphs.detection(file)
    assert ask(file) == ask(file)
    first, second, *_ = ask(file).pairs
    assert first.inputs != second.inputs


def test_sizes_are_found_that_the_graph_takes(file):
    """Four pixels are too few for five halvings."""
    (first, *_) = ask(small_graphs.detection(file)).pairs
    assert first.inputs[small_graphs.IMAGES].shape == (32, 32, 3)


def test_integers_are_zeros_and_ones(file):
    rows = ask(small_graphs.kinds(file)).pairs
    assert {value for row in rows for value in row.inputs["number"].data} <= {0, 1}
    assert all(isinstance(value, bool) for row in rows for value in row.inputs["flag"].data)
    assert all(isinstance(value, str) for row in rows for value in row.inputs["text"].data)


def test_inputs_whose_answers_are_not_finite_are_replaced(file):
    """The logarithm of a negative number is none."""
    rows = ask(small_graphs.undefined(file)).pairs
    assert all(np.isfinite(row.outputs["y"].data).all() for row in rows)


def test_a_number_is_written_shortly_and_is_the_same_one(file):
    (row, *_) = ask(small_graphs.doubling(file)).pairs
    assert all(len(str(value)) <= 6 for value in row.inputs["x"].data)
    assert np.float32(row.outputs["y"].data[0]) == np.float32(row.inputs["x"].data[0]) * 2


def test_a_graph_that_answers_otherwise_each_time_is_refused(file):
    with pytest.raises(ExportError, match="otherwise each time"):
        ask(small_graphs.random(file))


def test_inputs_that_nobody_can_guess_are_asked_for(file):
    with pytest.raises(ExportError, match=r"none of the inputs made up for some.onnx.*--golden-inputs FILE.npz"):
        ask(small_graphs.picky(file))


def test_inputs_of_ones_own(file, tmp_path):
    inputs = tmp_path / "own.npz"
    x = np.arange(2 * 77, dtype="float32").reshape(2, 77)
    np.savez(inputs, x=x)
    proven = ask(small_graphs.picky(file), inputs)
    assert proven.batched and len(proven.pairs) == 2
    assert proven.pairs[1].inputs["x"].data == tuple(x[1])
    assert proven.pairs[1].outputs["y"].shape == (7, 11)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.zeros((1, 3), "float32")}, "has z; some.onnx takes x"),
        ({}, "has nothing; some.onnx takes x"),
        ({"x": np.zeros((1, 4), "float32")}, r"float32 \[1, 4\].*FP32 \['any', 3\]"),
        ({"x": np.zeros(3, "float32")}, r"float32 \[3\]"),
        ({"x": np.zeros((0, 3), "float32")}, r"float32 \[0, 3\]"),
        ({"x": np.zeros((1, 3), "int64")}, "int64"),
        ({"x": np.array([["a", "b", "c"]])}, "takes FP32"),
    ],
)
def test_inputs_of_ones_own_that_are_not_the_graphs_are_refused(file, tmp_path, arrays, message):
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(SourceError, match=message):
        ask(small_graphs.doubling(file), tmp_path / "own.npz")


def test_a_file_of_no_arrays_is_refused(file, tmp_path):
    (tmp_path / "own.npz").write_text("x")
    with pytest.raises(SourceError, match=r"is no .npz file"):
        ask(small_graphs.doubling(file), tmp_path / "own.npz")


def test_a_graph_that_onnx_runtime_does_not_load_is_refused(file):
    small_graphs.save(
        file, [small_graphs.node("NoSuchOperator", ["x"], ["y"])],
        [small_graphs.tensor("x", small_graphs.FLOAT, ["n"])], [small_graphs.tensor("y", small_graphs.FLOAT, ["n"])],
    )  # fmt: skip
    with pytest.raises(ExportError, match=r"cannot load some\.onnx"):
        ask(file)
