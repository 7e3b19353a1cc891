"""Graphs made here below configs written here: what the backend "onnxruntime" is tried on."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TABLE = np.arange(15, dtype=np.float32).reshape(5, 3)
CONFIG = """
backend: "onnxruntime"
max_batch_size: 8
dynamic_batching { max_queue_delay_microseconds: 300000 }
input [{ name: "ids" data_type: TYPE_INT64 dims: [-1] }]
output [{ name: "sum" data_type: TYPE_FP32 dims: [3] }, { name: "rows" data_type: TYPE_FP32 dims: [-1, 3] }]
"""


def add_model(
    repository: Path,
    name: str,
    config: str = CONFIG,
    *,
    graph: onnx.GraphProto | None = None,
    external: bool = False,
    file: str = "model.onnx",
) -> None:
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config)
    model = helper.make_model(graph or sum_graph(), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options: dict[str, Any] = {"location": "model.onnx_data", "size_threshold": 64} if external else {}
    onnx.save_model(model, folder / file, save_as_external_data=external, **options)


def sum_graph(batch: str | int = "batch", declared: str | int = 3) -> onnx.GraphProto:
    """ids [batch, length] -> the rows of TABLE with these numbers, and their sum, whose size is `declared`."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"], name="lookup/rows"),
        helper.make_node("ReduceSum", ["rows", "axes"], ["sum"], keepdims=0),
    ]
    constants = [numpy_helper.from_array(TABLE, "table"), numpy_helper.from_array(np.array([1], np.int64), "axes")]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, [batch, "length"])]
    outputs = [
        helper.make_tensor_value_info("sum", TensorProto.FLOAT, [batch, declared]),
        helper.make_tensor_value_info("rows", TensorProto.FLOAT, [batch, "length", 3]),
    ]
    return helper.make_graph(nodes, "sum", inputs, outputs, constants)


def text_graph() -> onnx.GraphProto:
    inputs = [helper.make_tensor_value_info("text", TensorProto.STRING, ["batch", 1])]
    outputs = [helper.make_tensor_value_info("same", TensorProto.STRING, ["batch", 1])]
    return helper.make_graph([helper.make_node("Identity", ["text"], ["same"])], "same", inputs, outputs)
