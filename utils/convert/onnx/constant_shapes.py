"""Constants in place of computed shapes, in a graph that is given one row at a time.

An exported graph computes its shapes from the sizes of its inputs: of the 324 operators that an int8 MiniLM ran for a
text, 120 did only that. With one row, most shapes have one unknown size, the number of tokens, and Reshape finds it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from utils.convert.onnx.exported_graph import onnx_session
from utils.convert.onnx.walk import nodes_of, replace_all
from utils.repository.tensors import TensorSpec

# The shapes of both graphs agree for one number of tokens by chance, but not for several.
TOKENS = (3, 8, 13)
TOLERANCE = 1e-5

Sizes = list[int | None]


def with_constant_shapes(file: Path, inputs: tuple[TensorSpec, ...], made: Path) -> bool:
    """Writes `file` with constant shapes to `made`, in the same folder because of external data.

    False, and nothing is written, if no shape can be made constant or the answers for one row differ.
    """
    import onnx

    model = onnx.load(str(file), load_external_data=False)
    if not make_shapes_constant(model):
        return False
    made.write_bytes(model.SerializeToString())
    if _agree(file, made, inputs):
        return True
    made.unlink()
    return False


def make_shapes_constant(model: Any) -> int:
    """Changes `model` (a ModelProto, its inputs [B, tokens]) for B = 1. Returns how many nodes it has replaced."""
    graph, sizes = model.graph, _sizes(model)
    computed = {name: node for node in graph.node for name in node.output}
    constants = _constants(graph)
    replaced = 0
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] not in constants:
            shape = _reshaped(sizes.get(node.output[0]))
        elif node.op_type in ("Gather", "Slice") and _is_shape(computed.get(node.input[0])):
            shape = _picked(node, sizes.get(computed[node.input[0]].input[0]), constants)
        else:
            continue
        if shape is None:
            continue
        replaced += 1
        if node.op_type == "Reshape":
            node.input[1] = _initializer(graph, f"{node.output[0]}/constant_shape", shape)
        else:
            _initializer(graph, node.output[0], shape)
            del node.output[:]
    _remove_unused(graph)
    return replaced


def _sizes(model: Any) -> dict[str, Sizes]:
    """The sizes of each value for one row; None for one that depends on the number of tokens. {} if none are found."""
    import onnx
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = {tensor.name for tensor in copy.graph.initializer}
    for value in copy.graph.input:
        if value.name not in constants and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    try:
        graph = SymbolicShapeInference.infer_shapes(copy, auto_merge=True).graph
    except Exception:  # it raises any type for an operator that it does not know
        return {}
    values = (value for values in (graph.input, graph.value_info, graph.output) for value in values)
    shapes = {value.name: value.type.tensor_type.shape.dim for value in values}
    return {
        name: [each.dim_value if each.HasField("dim_value") else None for each in dims] for name, dims in shapes.items()
    }


def _constants(graph: Any) -> dict[str, Any]:
    from onnx import numpy_helper

    nodes = [node for node in graph.node if node.op_type == "Constant"]
    values = {node.output[0]: each.t for node in nodes for each in node.attribute if each.name == "value"}
    values |= {tensor.name: tensor for tensor in graph.initializer if np.prod(tensor.dims) <= max(1, len(TOKENS))}
    return {name: numpy_helper.to_array(tensor) for name, tensor in values.items()}


def _is_shape(node: Any) -> bool:
    return node is not None and node.op_type == "Shape" and not node.attribute


def _reshaped(sizes: Sizes | None) -> Any:
    """The shape with -1 for the one unknown size. 0 would mean "as before"."""
    if not sizes or sizes.count(None) > 1 or 0 in sizes:
        return None
    return np.array([-1 if size is None else size for size in sizes], dtype=np.int64)


def _picked(node: Any, sizes: Sizes | None, constants: Mapping[str, Any]) -> Any:
    """What a Gather or a Slice takes out of a shape, if it is known."""
    if sizes is None or any(name not in constants for name in node.input[1:]):
        return None
    shape, places = np.array(sizes, dtype=object), [constants[name] for name in node.input[1:]]
    if node.op_type == "Gather":
        found = shape[places[0]]
    else:
        start, end, _, step = (*(int(value.item()) for value in places), *(0, 1)[len(places) - 2 :])
        found = shape[start:end:step]
    known = all(isinstance(size, int) for size in np.ravel(found))
    return np.array(found, dtype=np.int64) if known else None


def _initializer(graph: Any, name: str, value: Any) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _remove_unused(graph: Any) -> None:
    """Removes nodes and constants whose values nothing uses."""
    count = -1
    while count != len(graph.node):
        count = len(graph.node)
        used = {name for node in nodes_of(graph.node) for name in node.input} | {value.name for value in graph.output}
        replace_all(graph.node, [node for node in graph.node if used.intersection(node.output)])
    replace_all(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in used])


def _agree(before: Path, after: Path, inputs: tuple[TensorSpec, ...]) -> bool:
    sessions = [onnx_session(file) for file in (before, after)]
    for tokens in TOKENS:
        feed = {each.name: _one_row(each, tokens) for each in inputs}
        try:
            expected, found = (session.run(None, feed) for session in sessions)
        except Exception:  # ONNX Runtime's own classes share no base; or the first graph takes no such row
            return False
        for one, other in zip(expected, found, strict=True):
            if one.shape != other.shape or not np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
                return False
    return True


def _one_row(tensor: TensorSpec, tokens: int) -> Any:
    """Small token ids and types, and a mask without padding."""
    shape = (1, *(tokens if size < 0 else size for size in tensor.dims))
    values = np.ones(shape) if tensor.name == "attention_mask" else np.arange(np.prod(shape)).reshape(shape) % 2
    return values.astype(tensor.dtype.lower())
