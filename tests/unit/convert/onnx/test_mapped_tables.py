"""utils.convert.onnx.mapped_tables with small graphs."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from utils.convert.onnx.mapped_tables import LEAST_BYTES, with_mapped_tables
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec


def saved(folder, rows):
    """Looks rows of 4 numbers up, and doubles them by a product."""
    table = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4)
    weights = np.eye(4, dtype=np.float32) * 2
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["found"]),
        helper.make_node("MatMul", ["found", "weights"], ["doubled"]),
    ]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch"])
    doubled = helper.make_tensor_value_info("doubled", TensorProto.FLOAT, ["batch", 4])
    tensors = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(weights, "weights")]
    model = helper.make_model(
        helper.make_graph(nodes, "lookup", [ids], [doubled], tensors), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, folder / "model.onnx")
    (folder / "model.onnx").chmod(0o640)
    spec = TensorSpec(name="ids", dtype="INT64", dims=())
    return Graph(path=folder / "model.onnx", inputs=(spec,), outputs=(spec,)), table


def run(graph, ids):
    session = onnxruntime.InferenceSession(str(graph.path), providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": np.array(ids)})[0]


def test_a_large_table_lies_beside_the_graph_which_answers_as_before(tmp_path):
    graph, table = saved(tmp_path, LEAST_BYTES // 16)
    (tmp_path / "model.onnx_data").write_bytes(b"of an earlier run")
    mapped = with_mapped_tables(graph)
    assert mapped.external_files == ("model.onnx_data",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.onnx_data"]
    assert (tmp_path / "model.onnx").stat().st_size < 1000
    assert (tmp_path / "model.onnx_data").stat().st_mode == (tmp_path / "model.onnx").stat().st_mode
    assert np.array_equal(run(mapped, [0, 7, len(table) - 1]), 2 * table[[0, 7, -1]])
    assert with_mapped_tables(mapped) is mapped


def test_a_small_one_stays_where_it_is(tmp_path):
    graph, table = saved(tmp_path, 100)
    before = graph.path.read_bytes()
    assert with_mapped_tables(graph) is graph
    assert graph.path.read_bytes() == before
    assert np.array_equal(run(graph, [3]), 2 * table[[3]])
