"""The served copy of a ready graph: output shapes as ONNX Runtime's session reports them, and no scalars."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests import small_graphs
from utils.convert.onnx.exported_graph import onnx_session
from utils.convert.onnx.ready_graph import read_onnx
from utils.convert.onnx.served_copy import as_run, declare_outputs, serve_scalars
from utils.host.errors import ExportError


def run_of(file):
    return as_run(onnx_session(file), read_onnx(file))


def test_an_inferred_size_takes_the_place_of_a_free_one(tmp_path):
    file = small_graphs.inferable(tmp_path / "some.onnx")
    assert [tensor.shape for tensor in read_onnx(file).outputs] == [("n", "classes")]
    assert [tensor.shape for tensor in run_of(file).outputs] == [("n", 5)]


def test_a_first_dimension_that_is_inferred_is_no_batch(tmp_path):
    to = small_graphs.constant("to", [2, -1], "int64")
    file = small_graphs.save(
        tmp_path / "some.onnx",
        [small_graphs.node("Reshape", ["x", "to"], ["y"])],
        [small_graphs.tensor("x", small_graphs.FLOAT, ["n", 4])],
        [small_graphs.tensor("y", small_graphs.FLOAT, ["n", "rest"])],
        [to],
    )
    assert read_onnx(file).may_be_batched and not run_of(file).may_be_batched


@pytest.mark.parametrize("make", [small_graphs.detection, small_graphs.scalars, small_graphs.kinds])
def test_what_is_not_inferred_stays_as_it_is(tmp_path, make):
    file = make(tmp_path / "some.onnx")
    content = file.read_bytes()
    assert run_of(file) == read_onnx(file)
    declare_outputs(run_of(file), file)
    assert file.read_bytes() == content


def test_sizes_are_declared_for_releases_that_infer_less(tmp_path):
    file = small_graphs.inferable(tmp_path / "some.onnx")
    declare_outputs(run_of(file), file)
    (output,) = onnx.load(str(file)).graph.output
    assert [(each.dim_param, each.dim_value) for each in output.type.tensor_type.shape.dim] == [("n", 0), ("", 5)]


def test_an_output_of_no_size_is_refused(tmp_path):
    nothing = small_graphs.constant("nothing", [[]] * 3)
    file = small_graphs.save(
        tmp_path / "some.onnx",
        [small_graphs.node("MatMul", ["x", "nothing"], ["y"])],
        [small_graphs.tensor("x", small_graphs.FLOAT, ["n", 3])],
        [small_graphs.tensor("y", small_graphs.FLOAT, ["n", "none"])],
        [nothing],
    )
    with pytest.raises(
        ExportError, match=r"'y' of some.onnx has shape \['n', 0\], and Triton serves no dimension of si"
    ):
        run_of(file)


def run(file, inputs):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return dict(zip([node.name for node in session.get_outputs()], session.run(None, inputs), strict=True))


def branching(file):
    """A scalar that decides, one that only a branch uses, and one that goes in and out of it."""
    add, sub = (helper.make_graph([helper.make_node(kind, ["x", "by"], ["r"])], kind, [], [
        small_graphs.tensor("r", TensorProto.FLOAT, [])]) for kind in ("Add", "Sub"))  # fmt: skip
    nodes = [helper.make_node("If", ["up"], ["y"], then_branch=add, else_branch=sub)]
    inputs = [small_graphs.tensor(name, TensorProto.FLOAT, []) for name in ("x", "by")]
    inputs.append(small_graphs.tensor("up", TensorProto.BOOL, []))
    return small_graphs.save(file, nodes, inputs, [small_graphs.tensor("y", TensorProto.FLOAT, [])])


@pytest.mark.parametrize("up", [True, False])
def test_scalars_have_one_dimension_outside_and_none_inside(tmp_path, up):
    file = branching(tmp_path / "some.onnx")
    inputs = {"x": np.float32(5), "by": np.float32(2), "up": np.bool_(up)}
    expected = run(file, {name: np.asarray(value) for name, value in inputs.items()})["y"]
    serve_scalars(read_onnx(file), file)
    onnx.checker.check_model(str(file), full_check=True)
    assert [each.shape for each in (*read_onnx(file).inputs, *read_onnx(file).outputs)] == [(1,)] * 4
    found = run(file, {name: np.asarray([value]) for name, value in inputs.items()})["y"]
    assert found.tolist() == [float(expected)] == [7.0 if up else 3.0]


def test_other_tensors_stay_as_they_are(tmp_path):
    file = small_graphs.scalars(tmp_path / "some.onnx")
    serve_scalars(read_onnx(file), file)
    graph = read_onnx(file)
    assert [(each.name, each.shape) for each in (*graph.inputs, *graph.outputs)] == [
        ("x", ("n", 3)), ("factor", (1,)), ("y", ("n", 3)), ("most", (1,)),
    ]  # fmt: skip


def test_a_graph_without_scalars_is_not_touched(tmp_path):
    file = small_graphs.detection(tmp_path / "some.onnx")
    before = file.read_bytes()
    serve_scalars(read_onnx(file), file)
    assert file.read_bytes() == before
