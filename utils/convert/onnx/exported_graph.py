"""An ONNX graph on disk: its tensors, the types of its inputs, and the order of its nodes."""

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from utils.convert.onnx.ready_graph import read_onnx
from utils.convert.onnx.walk import bodies_of, rename_values, replace_all
from utils.host.errors import ExportError
from utils.repository.pipeline import Graph


def read_graph(file: Path) -> Graph:
    """An exported graph; ExportError if the first dimension of a tensor is not the batch."""
    read = read_onnx(file)
    for tensor in (*read.inputs, *read.outputs):
        if not tensor.shape or isinstance(tensor.shape[0], int):
            raise ExportError(
                f"the graph's tensor {tensor.name!r} has shape {list(tensor.shape)}; its first dimension must be the "
                "batch"
            )
    return read.served(file, batched=True)


def onnx_session(file: Path) -> Any:
    """An ONNX Runtime session on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def take_int32(file: Path) -> None:
    """Changes the graph's INT64 inputs to INT32 with a Cast each, for clients without INT64."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(file), load_external_data=False)
    casts = {}
    for value in model.graph.input:
        if value.type.tensor_type.elem_type == TensorProto.INT64:
            value.type.tensor_type.elem_type = TensorProto.INT32
            casts[value.name] = f"{value.name}_as_int64"
    rename_values(model.graph.node, casts)
    made = [helper.make_node("Cast", [name], [cast], to=TensorProto.INT64) for name, cast in casts.items()]
    replace_all(model.graph.node, [*made, *model.graph.node])
    file.write_bytes(model.SerializeToString())


def sort_nodes(graph: Any) -> None:
    """Sorts the nodes of a GraphProto and of its bodies so that each value is computed before its use.

    Stable. ONNX demands it also of values that only a graph inside an If or Loop uses, which ONNX Runtime's quantizer
    overlooks when it sorts. ExportError for a graph with a cycle.
    """
    nodes = list(graph.node)
    makers = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    needed = [{makers[name] for name in _used(node) if name in makers} for node in nodes]
    users: list[list[int]] = [[] for _ in nodes]
    for place, others in enumerate(needed):
        for other in others:
            users[other].append(place)
    ready = [place for place, others in enumerate(needed) if not others]
    order = []
    while ready:
        place = heapq.heappop(ready)
        order.append(place)
        for user in users[place]:
            needed[user].discard(place)
            if not needed[user]:
                heapq.heappush(ready, user)
    if len(order) < len(nodes):
        raise ExportError("the graph's nodes need each other in a cycle, so it cannot run; nothing was built")
    replace_all(graph.node, [nodes[place] for place in order])
    for inner in (inner for node in graph.node for inner in bodies_of(node)):
        sort_nodes(inner)


def _used(node: Any) -> Iterator[str]:
    """The inputs of a node, and the outer values that its bodies use."""
    yield from node.input
    for inner in bodies_of(node):
        yield from (value.name for value in inner.output)
        for each in inner.node:
            yield from _used(each)
