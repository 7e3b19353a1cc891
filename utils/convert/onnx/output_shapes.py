"""The output shapes of a ready graph: those that a session infers, declared in the served copy.

The ONNX Runtime backend compares the outputs of a config with its session, and exactly. Source: ValidateOutputs in
src/onnxruntime.cc and CompareDimsSupported in src/onnxruntime_utils.cc of onnxruntime_backend.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from utils.convert.onnx.ready_graph import OnnxGraph, require_sizes


def as_run(session: Any, graph: OnnxGraph) -> OnnxGraph:
    """`graph` with the sizes that the session infers where the file leaves an output's dimension free.

    ExportError for a size of 0.
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
