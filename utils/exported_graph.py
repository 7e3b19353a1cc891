"""An ONNX graph on disk: its tensors, and the types of its inputs."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from utils.errors import ExportError
from utils.tensors import TRITON_DTYPES, TensorSpec


def read_graph(graph: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...], tuple[str, ...]]:
    """Inputs, outputs (batch dimension left out) and the names of external data files of an ONNX graph."""
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    model = onnx.load(str(graph), load_external_data=False)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_tensor(value) for value in model.graph.input if value.name not in constants)
    outputs = tuple(_tensor(value) for value in model.graph.output)
    files = {ExternalDataInfo(each).location for each in model.graph.initializer if uses_external_data(each)}
    return inputs, outputs, tuple(sorted(files))


def _tensor(value: Any) -> TensorSpec:
    kind = value.type.tensor_type
    if kind.elem_type not in TRITON_DTYPES:
        raise ExportError(
            f"the graph's tensor {value.name!r} has ONNX type {kind.elem_type}, which Triton does not carry"
        )
    dims = tuple(each.dim_value if each.HasField("dim_value") else -1 for each in kind.shape.dim)
    if not dims or dims[0] != -1:
        raise ExportError(
            f"the graph's tensor {value.name!r} has shape {list(dims)}; its first dimension must be the batch"
        )
    return TensorSpec(name=value.name, dtype=TRITON_DTYPES[kind.elem_type], dims=dims[1:])


def onnx_session(file: Path) -> Any:
    """An ONNX Runtime session on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def take_int32(file: Path) -> None:
    """Lets the graph take INT32 where it took INT64, for clients that have no other integers: a Cast each."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(file), load_external_data=False)
    casts = {}
    for value in model.graph.input:
        if value.type.tensor_type.elem_type == TensorProto.INT64:
            value.type.tensor_type.elem_type = TensorProto.INT32
            casts[value.name] = f"{value.name}_as_int64"
    for node in nodes_of(model.graph.node):
        for place, name in enumerate(node.input):
            node.input[place] = casts.get(name, name)
    made = [helper.make_node("Cast", [name], [cast], to=TensorProto.INT64) for name, cast in casts.items()]
    nodes = [*made, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    file.write_bytes(model.SerializeToString())


def nodes_of(nodes: Iterable[Any]) -> Iterator[Any]:
    """Those of the graphs inside If and Loop, too: they see the inputs of the graph around them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from nodes_of(attribute.g.node)
