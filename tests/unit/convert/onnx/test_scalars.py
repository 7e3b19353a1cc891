import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests import small_graphs
from utils.convert.onnx.ready_graph import read_onnx
from utils.convert.onnx.scalars import serve_scalars


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
    wanted = run(file, {name: np.asarray(value) for name, value in inputs.items()})["y"]
    serve_scalars(read_onnx(file), file)
    onnx.checker.check_model(str(file), full_check=True)
    assert [each.shape for each in (*read_onnx(file).inputs, *read_onnx(file).outputs)] == [(1,)] * 4
    given = run(file, {name: np.asarray([value]) for name, value in inputs.items()})["y"]
    assert given.tolist() == [float(wanted)] == [7.0 if up else 3.0]


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
