import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from utils.convert import exporter
from utils.convert.onnx.exported_graph import onnx_session, read_graph, sort_nodes, take_int32
from utils.host.errors import ExportError
from utils.repository.pipeline import Graph


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
    found = read_graph(graph)
    assert [str(tensor) for tensor in (*found.inputs, *found.outputs)] == [
        "ids INT32 [-1]",
        "mask INT32 [-1]",
        "out FP32 [-1]",
    ]
    onnx.checker.check_model(str(graph))
    session = onnx_session(graph)
    after = [session.run(["out"], {name: array.astype(np.int32) for name, array in feed.items()})[0] for feed in feeds]
    assert [each.tolist() for each in after] == [each.tolist() for each in before] == [[[2, 12]], [[11, 4]]]


def branch_of(value):
    """A graph that only an If uses, and that takes `value` of the graph around it."""
    node = helper.make_node("Identity", [value], ["picked"])
    return helper.make_graph([node], value, [], [helper.make_tensor_value_info("picked", TensorProto.FLOAT, None)])


def model_of(nodes):
    tensors = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "picked_out")}
    flag = helper.make_tensor("flag", TensorProto.BOOL, [], [True])
    made = helper.make_graph(nodes, "graph", [tensors["x"]], [tensors["picked_out"]], [flag])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


NEGATED, DOUBLED = helper.make_node("Neg", ["x"], ["negated"]), helper.make_node("Add", ["x", "x"], ["doubled"])
CHOICE = helper.make_node(
    "If", ["flag"], ["picked_out"], then_branch=branch_of("negated"), else_branch=branch_of("doubled")
)


@pytest.mark.parametrize("nodes", [[CHOICE, NEGATED, DOUBLED], [NEGATED, CHOICE, DOUBLED], [DOUBLED, CHOICE, NEGATED]])
def test_what_only_a_graph_inside_uses_is_made_first(tmp_path, nodes):
    """ONNX Runtime's quantizer leaves a graph of DeBERTa so."""
    model, file = model_of(nodes), tmp_path / "model.onnx"
    with pytest.raises(onnx.checker.ValidationError, match="topologically sorted"):
        onnx.checker.check_model(model)
    sort_nodes(model.graph)
    onnx.checker.check_model(model)
    onnx.save_model(model, file)
    np.testing.assert_array_equal(onnx_session(file).run(None, {"x": np.ones(2, np.float32)})[0], [-1, -1])


def test_a_graph_in_order_stays_as_it_is():
    model = model_of([DOUBLED, NEGATED, CHOICE])
    before = model.SerializeToString(deterministic=True)
    sort_nodes(model.graph)
    assert model.SerializeToString(deterministic=True) == before


def test_the_graphs_inside_are_sorted_too():
    late = helper.make_graph(
        [helper.make_node("Neg", ["made"], ["picked"]), helper.make_node("Neg", ["x"], ["made"])],
        "late",
        [],
        [helper.make_tensor_value_info("picked", TensorProto.FLOAT, None)],
    )
    model = model_of([helper.make_node("If", ["flag"], ["picked_out"], then_branch=late, else_branch=late)])
    sort_nodes(model.graph)
    assert [node.output[0] for node in model.graph.node[0].attribute[0].g.node] == ["made", "picked"]


def test_a_cycle_is_an_error_of_the_export():
    nodes = [helper.make_node("Neg", ["b"], ["a"]), helper.make_node("Neg", ["a"], ["b"])]
    with pytest.raises(ExportError, match="in a cycle"):
        sort_nodes(model_of(nodes).graph)


def test_a_graph_that_does_not_load_is_an_error_of_the_export(tmp_path):
    file = tmp_path / "model.onnx"
    onnx.save_model(model_of([helper.make_node("NoSuchOperator", ["x"], ["picked_out"])]), file)
    with pytest.raises(ExportError, match="--precision or --release") as error:
        exporter.open_session(Graph(path=file, inputs=(), outputs=()))
    assert str(tmp_path) not in str(error.value)
