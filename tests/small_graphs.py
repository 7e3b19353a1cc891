"""ONNX graphs of a few operators, each with one property that its config must describe."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF, DOUBLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE
INT64, BOOL, STRING, BFLOAT16 = TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING, TensorProto.BFLOAT16
# The tensor names of the text detector EAST, converted by tf2onnx.
IMAGES, SCORES, GEOMETRY = "input_images:0", "feature_fusion/Conv_7/Sigmoid:0", "feature_fusion/concat_3:0"
Shape = Sequence[int | str]


def tensor(name: str, kind: int, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, outputs, **attributes)


def constant(name: str, values: Any, dtype: str = "float32") -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype=dtype), name)


def save(
    file: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: Iterable[onnx.TensorProto] = (),
    *,
    opset: int = 17,
    ir: int = 8,
    **options: Any,
) -> Path:
    graph = helper.make_graph(nodes, "small", inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(model, str(file), **options)
    return file


def doubling(
    file: Path, kind: int = FLOAT, shape: Shape = ("batch", 3), out_shape: Shape | None = None, **options: Any
) -> Path:
    """y = x + x."""
    outputs = [tensor("y", kind, shape if out_shape is None else out_shape)]
    return save(file, [node("Add", ["x", "x"], ["y"])], [tensor("x", kind, shape)], outputs, **options)


def detection(file: Path) -> Path:
    """Takes images whose sides are multiples of 32, as EAST does. Free dimensions have the names that tf2onnx gives."""
    names = iter(f"unk__{number}" for number in range(600, 700))
    weights = np.random.default_rng(3).normal(size=(1, 3, 32, 32)) / 100
    nodes = [
        node("Transpose", [IMAGES], ["nchw"], perm=[0, 3, 1, 2]),
        node("Conv", ["nchw", "w"], ["small"], kernel_shape=[32, 32], strides=[32, 32]),
        node("Resize", ["small", "", "by"], ["large"], mode="nearest"),
        node("Transpose", ["large"], ["scores"], perm=[0, 2, 3, 1]),
        node("Concat", [IMAGES, "scores"], ["both"], axis=3),
        node("Sigmoid", ["scores"], [SCORES]),
        node("Concat", ["both", "scores"], [GEOMETRY], axis=3),
    ]

    def free(last: int) -> Shape:
        return [next(names), next(names), next(names), last]

    outputs = [tensor(SCORES, FLOAT, free(1)), tensor(GEOMETRY, FLOAT, free(5))]
    constants = [constant("w", weights), constant("by", [1, 1, 32, 32])]
    return save(file, nodes, [tensor(IMAGES, FLOAT, free(3))], outputs, constants)


def recognition(file: Path) -> Path:
    """Fixed shapes, with a batch of one, and numbers as tensor names, as torch.onnx.export writes them."""
    weights = constant("w", np.random.default_rng(4).normal(size=(32, 37)))
    nodes = [
        node("Reshape", ["input.1", "to"], ["image"]),
        node("Transpose", ["image"], ["columns"], perm=[0, 2, 1]),
        node("MatMul", ["columns", "w"], ["308"]),
    ]
    inputs, outputs = [tensor("input.1", FLOAT, [1, 1, 32, 100])], [tensor("308", FLOAT, [1, 100, 37])]
    return save(file, nodes, inputs, outputs, [weights, constant("to", [1, 32, 100], "int64")])


def mixing(file: Path) -> Path:
    """Subtracts the sum over the batch: the shape permits batching, the arithmetic does not."""
    nodes = [node("ReduceSum", ["x", "axes"], ["sum"], keepdims=1), node("Sub", ["x", "sum"], ["y"])]
    return save(
        file, nodes, [tensor("x", FLOAT, ["n", 3])], [tensor("y", FLOAT, ["n", 3])], [constant("axes", [0], "int64")]
    )


def scalars(file: Path) -> Path:
    """A scalar input beside a matrix, and a scalar output."""
    nodes = [node("Mul", ["x", "factor"], ["y"]), node("ReduceMax", ["y"], ["most"], keepdims=0)]
    inputs = [tensor("x", FLOAT, ["n", 3]), tensor("factor", FLOAT, [])]
    return save(file, nodes, inputs, [tensor("y", FLOAT, ["n", 3]), tensor("most", FLOAT, [])])


def one_number_a_row(file: Path) -> Path:
    """Shape [batch]: without the batch no dimension is left."""
    return doubling(file, shape=("batch",))


def disagreeing(file: Path) -> Path:
    """Two inputs whose first dimensions differ."""
    nodes = [node("MatMul", ["a", "b"], ["y"])]
    inputs = [tensor("a", FLOAT, ["rows", "shared"]), tensor("b", FLOAT, ["shared", "columns"])]
    return save(file, nodes, inputs, [tensor("y", FLOAT, ["rows", "columns"])])


def kinds(file: Path) -> Path:
    """FP16, BOOL, STRING and INT64 tensors."""
    nodes = [
        node("Add", ["half", "half"], ["half_out"]),
        node("Not", ["flag"], ["flag_out"]),
        node("Identity", ["text"], ["text_out"]),
        node("Cast", ["number"], ["number_out"], to=DOUBLE),
    ]
    kinds = {"half": HALF, "flag": BOOL, "text": STRING, "number": INT64}
    inputs = [tensor(name, kind, ["batch", 2]) for name, kind in kinds.items()]
    outputs = [
        tensor(f"{name}_out", DOUBLE if name == "number" else kind, ["batch", 2]) for name, kind in kinds.items()
    ]
    return save(file, nodes, inputs, outputs)


def external(file: Path) -> Path:
    """Weights in an external file beside the graph."""
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    return save(
        file, nodes, [tensor("x", FLOAT, ["batch", 8])], [tensor("y", FLOAT, ["batch", 512])],
        [constant("w", np.random.default_rng(5).normal(size=(8, 512)))],
        save_as_external_data=True, location=f"{file.name}.data", size_threshold=0,
    )  # fmt: skip


def inferable(file: Path) -> Path:
    """The last dimension of the output is free in the file; the weights fix it at 5."""
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    inputs, outputs = [tensor("x", FLOAT, ["n", 3])], [tensor("y", FLOAT, ["n", "classes"])]
    return save(file, nodes, inputs, outputs, [constant("w", np.arange(15).reshape(3, 5))])


def random(file: Path) -> Path:
    """The output differs at every call."""
    nodes = [node("RandomNormalLike", ["x"], ["noise"]), node("Add", ["x", "noise"], ["y"])]
    return save(file, nodes, [tensor("x", FLOAT, ["batch", 3])], [tensor("y", FLOAT, ["batch", 3])])


def undefined(file: Path) -> Path:
    """NaN for a negative input, minus infinity at zero."""
    nodes = [node("Log", ["x"], ["y"])]
    return save(file, nodes, [tensor("x", FLOAT, ["batch", 3])], [tensor("y", FLOAT, ["batch", 3])])


def picky(file: Path) -> Path:
    """Runs for one size only, which the file does not name."""
    nodes = [node("Reshape", ["x", "to"], ["y"])]
    return save(
        file, nodes, [tensor("x", FLOAT, ["batch", "length"])], [tensor("y", FLOAT, ["batch", 7, 11])],
        [constant("to", [-1, 7, 11], "int64")],
    )  # fmt: skip
