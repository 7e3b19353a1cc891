"""Scales fixed from texts: what becomes of a quantized graph, and that no row changes the answer of another."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from utils.convert.onnx.exported_graph import onnx_session
from utils.convert.onnx.fixed_scales import fix_scales

RANDOM = np.random.default_rng(0)
WEIGHTS, BIAS = RANDOM.normal(size=(8, 4)).astype(np.float32), RANDOM.normal(size=4).astype(np.float32)
ROWS = RANDOM.uniform(-2, 3, size=(16, 8)).astype(np.float32)


def graph(folder, *, with_bias=True):
    """logits = values x WEIGHTS + BIAS, quantized dynamically."""
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 4])
    nodes = [helper.make_node("MatMul", ["values", "weights"], ["product" if with_bias else "logits"], name="product")]
    if with_bias:
        nodes.append(helper.make_node("Add", ["product", "bias"], ["logits"]))
    constants = [numpy_helper.from_array(value, name) for name, value in (("weights", WEIGHTS), ("bias", BIAS))]
    values = helper.make_tensor_value_info("values", TensorProto.FLOAT, ["B", 8])
    made = helper.make_graph(nodes, "small", [values], [logits], constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, folder / "fp32.onnx")
    options = {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": True}
    quantize_dynamic(folder / "fp32.onnx", folder / "int8.onnx", **options)
    return folder / "int8.onnx"


def run_rows(session):
    for row in ROWS:
        (answer,) = session({"values": row[None]})
        assert answer.shape == (1, 4), "the outputs of the graph alone"


@pytest.mark.parametrize("with_bias", [True, False])
def test_a_product_has_fixed_scales_and_is_one_operator(tmp_path, with_bias):
    file = graph(tmp_path, with_bias=with_bias)
    fix_scales(file, run_rows)
    assert [node.op_type for node in onnx.load(file).graph.node] == ["QuantizeLinear", "MatMulIntegerToFloat"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["fp32.onnx", "int8.onnx"]
    found, expected = onnx_session(file).run(None, {"values": ROWS})[0], ROWS @ WEIGHTS + (BIAS if with_bias else 0)
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_no_row_changes_the_answer_of_another_and_what_is_out_of_range_is_clipped(tmp_path):
    file = graph(tmp_path)
    dynamic = onnx_session(file)
    fix_scales(file, run_rows)
    fixed = onnx_session(file)
    alone = np.concatenate([fixed.run(None, {"values": row[None]})[0] for row in ROWS])
    beside = np.concatenate([ROWS, np.full((1, 8), 40, np.float32)])
    assert np.abs(dynamic.run(None, {"values": beside})[0][:16] - alone).max() > 0.2, "else nothing is proven"
    together = fixed.run(None, {"values": beside})[0]
    np.testing.assert_array_equal(together[:16], alone)
    largest = np.full((1, 8), ROWS.max(), np.float32)
    np.testing.assert_allclose(together[16:], fixed.run(None, {"values": largest})[0], atol=0.05)
