"""Bytes by layer: of named weights, of weights that only their node names, and of external data."""

import numpy as np
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper, save

from utils.report.graph_size import bytes_by_layer, bytes_of, layer_of


@pytest.mark.parametrize(
    ("tensor", "node", "layer"),
    [
        ("bert.embeddings.word_embeddings.weight", "/bert/embeddings/Gather", "bert.embeddings"),
        ("bert.encoder.layer.11.output.dense.weight", "", "bert.encoder.layer.11"),
        ("onnx::MatMul_1234", "/bert/encoder/layer.0/attention/self/query/MatMul", "bert.encoder.layer.0"),
        ("onnx::MatMul_1234_quantized", "/distilbert/transformer/layer.3/ffn/lin1/MatMul_quant",
         "distilbert.transformer.layer.3"),
        ("classifier.weight", "/classifier/Gemm", "classifier"),
        ("h.0.attn.weight", "", "h.0"),
        ("val_17", "", "other"),
        ("weights", "Conv_3", "other"),
    ],
)  # fmt: skip
def test_the_layer_of_a_weight(tensor, node, layer):
    assert layer_of(tensor, node) == layer


def test_weights_are_summed_by_layer_in_the_order_of_the_computation(tmp_path):
    weights = {"head.weight": (16, 32), "body.0.b.weight": (32, 32), "body.0.a.weight": (32, 32), "eps": (1,)}
    tensors = [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()]
    nodes = [
        helper.make_node("MatMul", ["x", "body.0.a.weight"], ["y"]),
        helper.make_node("MatMul", ["y", "body.0.b.weight"], ["z"]),
        helper.make_node("Identity", ["head.weight"], ["w"]),
        helper.make_node("MatMul", ["z", "w"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 32])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 32])],
        tensors,
    )  # fmt: skip
    model = helper.make_model(graph)
    external_data_helper.convert_model_to_external_data(model, location="model.onnx_data", size_threshold=0)
    save(model, tmp_path / "model.onnx")
    (tmp_path / "model.onnx_data").unlink()
    found = bytes_by_layer(tmp_path / "model.onnx")
    assert list(found.items()) == [("body.0", 2 * 32 * 32 * 4), ("head", 16 * 32 * 4)]


@pytest.mark.parametrize(("kind", "count"), [("FLOAT", 40), ("FLOAT16", 20), ("INT8", 10), ("INT4", 5), ("INT64", 80)])
def test_bytes_of_a_tensor(kind, count):
    assert bytes_of(TensorProto(dims=[2, 5], data_type=TensorProto.DataType.Value(kind))) == count
