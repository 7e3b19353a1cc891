import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from utils.convert.onnx.exported_graph import onnx_session
from utils.convert.onnx.independent_rows import answer_rows_apart


def graph(*, masked=True, per_token=False):
    """Each row's sum, divided by the largest id of the whole batch: what dynamic quantization does to ranges."""
    ids = ["input_ids", *(["attention_mask"] if masked else [])]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["B", "T"]) for name in ids]
    dims = ["B", "T", 1] if per_token else ["B", 1]
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["range"], keepdims=0),
        helper.make_node("Div", ["floats", "range"], ["scaled"]),
        helper.make_node("Unsqueeze", ["scaled", "last"], ["columns"])
        if per_token
        else helper.make_node("ReduceSum", ["scaled", "second"], ["columns"], keepdims=1),
        helper.make_node("Mul", ["columns", "factor"], ["logits"]),
    ]
    constants = {"last": np.array([2]), "second": np.array([1]), "factor": np.array([2], dtype=np.float32)}
    made = helper.make_graph(
        nodes,
        "small",
        inputs,
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, dims)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def session(model, folder):
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    return onnx_session(folder / "model.onnx")


IDS = np.array([[1, 2, 0, 0], [8, 3, 4, 5], [6, 0, 0, 0]])
LENGTHS = (2, 4, 1)
FEED = {"input_ids": IDS, "attention_mask": (np.arange(4) < np.array(LENGTHS)[:, None]).astype(np.int64)}


@pytest.mark.parametrize("per_token", [False, True])
def test_a_row_has_its_answer_whatever_is_beside_it(tmp_path, per_token):
    plain = session(graph(per_token=per_token), tmp_path)
    model = graph(per_token=per_token)
    answer_rows_apart(model)
    apart = session(model, tmp_path)
    together = apart.run(["logits"], FEED)[0]
    assert together.shape == plain.run(["logits"], FEED)[0].shape
    for place, length in enumerate(LENGTHS):
        alone = {name: array[place : place + 1, :length] for name, array in FEED.items()}
        right = plain.run(["logits"], alone)[0][0]
        np.testing.assert_array_equal(together[place, :length] if per_token else together[place], right)
        assert not per_token or not together[place, length:].any()
    assert np.abs(plain.run(["logits"], FEED)[0] - together).max() > 0.1, "else nothing was put apart"


def test_a_graph_without_a_mask_takes_rows_whole(tmp_path):
    model = graph(masked=False)
    answer_rows_apart(model)
    apart = session(model, tmp_path)
    assert apart.run(["logits"], {"input_ids": IDS})[0].ravel().tolist() == [3.0, 5.0, 2.0]


def test_a_row_without_any_token_keeps_one(tmp_path):
    model = graph()
    answer_rows_apart(model)
    empty = {"input_ids": IDS[:1], "attention_mask": np.zeros((1, 4), dtype=np.int64)}
    assert session(model, tmp_path).run(["logits"], empty)[0].tolist() == [[2.0]]
