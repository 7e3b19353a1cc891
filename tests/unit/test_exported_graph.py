import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from utils.exported_graph import onnx_session, read_graph, take_int32


@pytest.fixture
def graph(tmp_path):
    """ids and mask, INT64, are used in a node, and ids once more inside an If."""

    def branch(name, operator):
        node = helper.make_node(operator, ["ids", "mask"], [name])
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, TensorProto.INT64, None)])

    nodes = [
        helper.make_node("ReduceMax", ["ids"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "five"], ["above"]),
        helper.make_node("If", ["above"], ["both"], then_branch=branch("sum", "Add"), else_branch=branch("all", "Mul")),
        helper.make_node("Cast", ["both"], ["out"], to=TensorProto.FLOAT),
    ]
    shape = ["batch", "length"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("ids", "mask")]
    made = helper.make_graph(
        nodes,
        "graph",
        inputs,
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)],
        [helper.make_tensor("five", TensorProto.INT64, [], [5])],
    )
    file = tmp_path / "model.onnx"
    onnx.save_model(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file


def test_a_graph_that_takes_int32_answers_as_before(graph):
    feeds = [{"ids": np.array([ids]), "mask": np.array([[2, 3]])} for ids in ([1, 4], [9, 1])]
    before = [onnx_session(graph).run(["out"], feed)[0] for feed in feeds]
    take_int32(graph)
    inputs, outputs, _ = read_graph(graph)
    assert [str(tensor) for tensor in (*inputs, *outputs)] == ["ids INT32 [-1]", "mask INT32 [-1]", "out FP32 [-1]"]
    onnx.checker.check_model(str(graph))
    session = onnx_session(graph)
    after = [session.run(["out"], {name: array.astype(np.int32) for name, array in feed.items()})[0] for feed in feeds]
    assert [each.tolist() for each in after] == [each.tolist() for each in before] == [[[2, 12]], [[11, 4]]]
