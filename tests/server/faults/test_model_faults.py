"""Row 11: a model whose logits are not finite."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.server.faults.target import Target
from utils.diagnosis.target import LEAK, infer_body
from utils.triton.server import serve

NAMES = ("input_ids", "attention_mask", "token_type_ids")


def graph():
    """Three logits sqrt(5 - n) / (n - 4) for n tokens: 3 gives numbers, 4 gives Inf, 6 gives NaN."""
    nodes = [
        helper.make_node("ReduceSum", ["attention_mask", "axis"], ["count"], keepdims=1),
        helper.make_node("Cast", ["count"], ["n"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["five", "n"], ["rest"]),
        helper.make_node("Sqrt", ["rest"], ["root"]),
        helper.make_node("Sub", ["n", "four"], ["difference"]),
        helper.make_node("Div", ["root", "difference"], ["logit"]),
        helper.make_node("Concat", ["logit"] * 3, ["logits"], axis=1),
    ]
    constants = {"axis": np.array([1]), "five": np.array([5], np.float32), "four": np.array([4], np.float32)}
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in NAMES]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])]
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    return helper.make_graph(nodes, "faulty", inputs, outputs, initializers)


@pytest.fixture(scope="module")
def faulty(built, layout, tmp_path_factory):
    name, repository = built
    graph_of = {"ensemble": "model_onnx", "fused": name}[layout]
    copy = shutil.copytree(repository, tmp_path_factory.mktemp("faulty") / "models")
    model = helper.make_model(graph(), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (copy / graph_of / "1/model.onnx").unlink()
    onnx.save(model, copy / graph_of / "1/model.onnx")
    with serve(copy) as server:
        yield Target(server, name)


@pytest.mark.parametrize("text", [". .", ". . . .", "."], ids=["Inf", "NaN", "finite"])
def test_logits_that_are_not_finite_get_status_500(faulty, text):
    reply = faulty.infer(infer_body([text]))
    if text == ".":
        assert reply.status == 200
        assert reply.outputs["scores"] == pytest.approx([1 / 3])
    else:
        assert reply.status == 500
        assert "logits are not finite" in reply.error
        assert not LEAK.search(reply.text)
    faulty.assert_unharmed()
