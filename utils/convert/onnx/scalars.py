"""Converts scalars of a graph to tensors of shape [1]: Triton does not support scalars."""

from pathlib import Path
from typing import Any

from utils.convert.onnx.ready_graph import OnnxGraph
from utils.convert.onnx.walk import graphs_of, rename_values

INSIDE = "/scalar"


def serve_scalars(graph: OnnxGraph, file: Path) -> None:
    """Rewrites `file`, a copy of the graph: scalar inputs and outputs get shape [1], and are reshaped inside."""
    scalars = {tensor.name for tensor in (*graph.inputs, *graph.outputs) if not tensor.shape}
    if not scalars:
        return
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(file), load_external_data=False)
    _rename(model.graph, {name: name + INSIDE for name in scalars})
    shapes = {"none": helper.make_tensor(f"shape{INSIDE}", TensorProto.INT64, [0], [])}
    shapes["one"] = helper.make_tensor(f"shape{INSIDE}/one", TensorProto.INT64, [1], [1])
    model.graph.initializer.extend(shapes.values())
    before, after = [], []
    for value in (*model.graph.input, *model.graph.output):
        name = value.name.removesuffix(INSIDE)
        if name not in scalars or not value.name.endswith(INSIDE):
            continue
        if value in model.graph.input:
            before.append(helper.make_node("Reshape", [name, shapes["none"].name], [value.name]))
        else:
            after.append(helper.make_node("Reshape", [value.name, shapes["one"].name], [name]))
        value.name = name
        value.type.tensor_type.shape.dim.add().dim_value = 1
    nodes = [*before, *model.graph.node, *after]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    file.write_bytes(model.SerializeToString())


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Renames values everywhere, in the bodies of loops and branches too."""
    for body in graphs_of(graph):
        for value in (*body.input, *body.output, *body.value_info, *body.initializer):
            value.name = names.get(value.name, value.name)
    rename_values(graph.node, names)
