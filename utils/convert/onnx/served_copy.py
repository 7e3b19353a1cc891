"""How the served copy of a ready graph differs: its output shapes are declared, and it has no scalars."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from utils.convert.onnx.ready_graph import OnnxGraph, require_sizes
from utils.convert.onnx.walk import graphs_of, rename_values, replace_all

INSIDE = "/scalar"


def as_run(session: Any, graph: OnnxGraph) -> OnnxGraph:
    """`graph` with the sizes that the session infers where the file leaves an output's dimension free.

    ExportError for a size of 0. The ONNX Runtime backend compares the outputs of a config with its session exactly.
    Source: ValidateOutputs in src/onnxruntime.cc and CompareDimsSupported in src/onnxruntime_utils.cc of
    onnxruntime_backend.
    """
    shapes = {node.name: node.shape for node in session.get_outputs()}
    outputs = tuple(tensor.inferred(shapes[tensor.name]) for tensor in graph.outputs)
    for tensor in outputs:
        require_sizes(tensor, graph.file)
    return replace(graph, outputs=outputs)


def declare_outputs(graph: OnnxGraph, file: Path) -> None:
    """Writes the sizes of `graph`'s outputs into `file`, a copy of it.

    A session takes the declared size where it infers none: so the ONNX Runtime of any release, which may infer less
    than the one that built, reports the shapes of the config.
    """
    import onnx

    model = onnx.load(str(file), load_external_data=False)
    before = model.SerializeToString()
    shapes = {tensor.name: tensor.shape for tensor in graph.outputs}
    for value in model.graph.output:
        for dimension, size in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            if isinstance(size, int):
                dimension.dim_value = size
    if model.SerializeToString() != before:
        file.write_bytes(model.SerializeToString())


def serve_scalars(graph: OnnxGraph, file: Path) -> None:
    """Rewrites `file`, a copy of the graph: scalar inputs and outputs, which Triton lacks, get shape [1] outside."""
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
    replace_all(model.graph.node, [*before, *model.graph.node, *after])
    file.write_bytes(model.SerializeToString())


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Renames values everywhere, in the bodies of loops and branches too."""
    for body in graphs_of(graph):
        for value in (*body.input, *body.output, *body.value_info, *body.initializer):
            value.name = names.get(value.name, value.name)
    rename_values(graph.node, names)
