"""Graphs that compute their shapes from the sizes of their inputs, as torch exports attention."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from utils.convert.onnx.constant_shapes import make_shapes_constant, with_constant_shapes
from utils.convert.onnx.exported_graph import onnx_session, read_graph

HEADS, WIDTH = 2, 8
CONSTANTS = {
    "table": np.random.default_rng(0).normal(size=(4, WIDTH)).astype(np.float32),
    "zero": np.array(0), "one": np.array(1), "first": np.array([0]), "last": np.array([-1]), "end": np.array([9]),
    "heads": np.array([HEADS]), "rest": np.array([-1]),
}  # fmt: skip


def graph(*, rows=True, row_count_matters=False):
    """Token embeddings, reshaped to heads and back by shapes that are computed, and scaled by their width.

    `row_count_matters`: the answer depends on the number of rows, which is no shape.
    """
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["hidden"]),
        helper.make_node("Shape", ["hidden"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Gather", ["shape", "one"], ["tokens"]),
        helper.make_node("Unsqueeze", ["batch", "first"], ["batch1"]),
        helper.make_node("Unsqueeze", ["tokens", "first"], ["tokens1"]),
        helper.make_node("Concat", ["batch1", "tokens1", "heads", "rest"], ["split"], axis=0),
        helper.make_node("Reshape", ["hidden", "split"], ["by_head"]),
        helper.make_node("Transpose", ["by_head"], ["turned"], perm=[0, 2, 1, 3]),
        helper.make_node("Slice", ["shape", "last", "end"], ["width"]),
        helper.make_node("Cast", ["width"], ["width_float"], to=TensorProto.FLOAT),
        helper.make_node("Sqrt", ["width_float"], ["scale"]),
        helper.make_node("Div", ["turned", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["back"], perm=[0, 2, 1, 3]),
        helper.make_node("Concat", ["batch1", "tokens1", "rest"], ["joined"], axis=0),
        helper.make_node("Reshape", ["back", "joined"], ["states"]),
    ]
    if row_count_matters:
        nodes[-1].output[0] = "before"
        nodes += [
            helper.make_node("Cast", ["batch"], ["rows"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["before", "rows"], ["states"]),
        ]
    dims = ["B" if rows else 1, "T"]
    made = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, dims)],
        [helper.make_tensor_value_info("states", TensorProto.FLOAT, [*dims, WIDTH])],
        [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def operators(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("tokens", [1, 5, 30])
def test_a_row_keeps_its_answer_and_no_shape_is_computed(tmp_path, tokens):
    before, after = tmp_path / "model.onnx", tmp_path / "one_row.onnx"
    onnx.save(graph(), before)
    assert with_constant_shapes(before, read_graph(before).inputs, after)
    changed = onnx.load(after)
    onnx.checker.check_model(changed)
    assert not {"Shape", "Slice", "Concat", "Unsqueeze"}.intersection(operators(changed))
    assert {"Shape", "Slice", "Concat", "Unsqueeze"} <= set(operators(graph()))
    feed = {"input_ids": np.arange(tokens)[None] % 4}
    awaited, found = (onnx_session(file).run(None, feed)[0] for file in (before, after))
    np.testing.assert_array_equal(found, awaited)


def test_several_rows_need_the_graph_as_it_was():
    """This is why int8 graphs, which compute each row alone, get constant shapes, and others do not."""
    model = graph()
    make_shapes_constant(model)
    feed = {"input_ids": np.ones((2, 3), dtype=np.int64)}
    assert onnx_session_of(graph()).run(None, feed)[0].shape == (2, 3, WIDTH)
    assert onnx_session_of(model).run(None, feed)[0].shape == (1, 6, WIDTH)


def onnx_session_of(model):
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_a_number_of_rows_that_is_no_shape_is_constant_too():
    model = graph(row_count_matters=True)
    assert make_shapes_constant(model)
    feed = {"input_ids": np.ones((1, 3), dtype=np.int64)}
    awaited = onnx_session_of(graph(row_count_matters=True)).run(None, feed)[0]
    np.testing.assert_array_equal(onnx_session_of(model).run(None, feed)[0], awaited)


def test_a_graph_whose_answers_change_stays_as_it_is(tmp_path, monkeypatch):
    """A wrong shape is put in, as a fault of the inference of shapes would."""
    from utils.convert.onnx import constant_shapes

    before, after = tmp_path / "model.onnx", tmp_path / "one_row.onnx"
    onnx.save(graph(), before)
    right = constant_shapes._sizes
    monkeypatch.setattr(constant_shapes, "_sizes", lambda model: {**right(model), "states": [1, WIDTH, None]})
    assert not with_constant_shapes(before, read_graph(before).inputs, after)
    assert not after.exists()


def test_a_graph_with_an_unknown_operator_stays_as_it_is(tmp_path, monkeypatch):
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    def fail(*_, **__):
        raise RuntimeError("Incomplete symbolic shape inference")

    monkeypatch.setattr(SymbolicShapeInference, "infer_shapes", fail)
    before = tmp_path / "model.onnx"
    onnx.save(graph(), before)
    assert not with_constant_shapes(before, read_graph(before).inputs, tmp_path / "one_row.onnx")
    assert list(tmp_path.iterdir()) == [before]
