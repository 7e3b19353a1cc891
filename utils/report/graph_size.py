"""The bytes of an ONNX graph's weights, by layer of the model that it was exported from."""

import re
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

# Names that an exporter makes up say nothing of the layer: `onnx::MatMul_1234`, `val_17`.
MADE_UP = re.compile(r"onnx::|val_|_?const")
OTHER = "other"
# Smaller ones are constants of the computation, not weights.
LEAST_BYTES = 256


def bytes_by_layer(file: Path) -> dict[str, int]:
    """{layer: bytes}, in the order of the computation. External data is counted, not read."""
    import onnx

    graph = onnx.load(str(file), load_external_data=False).graph
    users: dict[str, str] = {}  # {tensor: name of the first node that reads it}
    for node in (each for each in graph.node if each.op_type != "Identity"):  # stands for an equal weight
        for name in node.input:
            users.setdefault(name, node.name)
    places = {name: place for place, name in enumerate(users)}
    found: dict[str, int] = {}
    for tensor in sorted(graph.initializer, key=lambda each: places.get(each.name, len(places))):
        count = bytes_of(tensor)
        if count >= LEAST_BYTES:
            layer = layer_of(tensor.name, users.get(tensor.name, ""))
            found[layer] = found.get(layer, 0) + count
    return found


def bytes_of(tensor: "onnx.TensorProto") -> int:
    """By its shape and type: four-bit types take half a byte."""
    from onnx import helper

    bits = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4}
    name = helper.tensor_dtype_to_string(tensor.data_type).rpartition(".")[2]
    each = bits.get(name) or 8 * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return int(prod(tensor.dims) * each // 8)


def layer_of(tensor: str, node: str) -> str:
    """`bert.encoder.layer.0`, from the name of a weight, else of the node that reads it; two parts without a number.

    A weight is `bert.encoder.layer.0.output.dense.weight`, a node `/bert/encoder/layer.0/output/dense/MatMul`.
    """
    named = tensor if "." in tensor and not MADE_UP.match(tensor) else node.strip("/").replace("/", ".")
    parts = [part for part in named.split(".") if part][:-1]
    if not parts:
        return OTHER
    first = next((place for place, part in enumerate(parts) if part.isdecimal()), 1)
    return ".".join(parts[: first + 1])
