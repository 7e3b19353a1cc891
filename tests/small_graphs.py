"""ONNX graphs of a few operators, each with one trait that a config must tell of."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF, DOUBLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE
INT64, BOOL, STRING, BFLOAT16 = TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING, TensorProto.BFLOAT16
# The names of the text detector that tf2onnx makes of EAST.
IMAGES, SCORES, GEOMETRY = "input_images:0", "feature_fusion/Conv_7/Sigmoid:0", "feature_fusion/concat_3:0"


def tensor(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def node(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs, outputs, **attributes)


def constant(name, values, dtype="float32"):
    return numpy_helper.from_array(np.asarray(values, dtype=dtype), name)


def save(file: Path, nodes, inputs, outputs, constants=(), *, opset=17, ir=8, **options) -> Path:
    graph = helper.make_graph(nodes, "small", inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(model, str(file), **options)
    return file


def doubling(file, kind=FLOAT, shape=("batch", 3), out_shape=None, **options):
    """y = x + x."""
    outputs = [tensor("y", kind, shape if out_shape is None else out_shape)]
    return save(file, [node("Add", ["x", "x"], ["y"])], [tensor("x", kind, shape)], outputs, **options)


def detection(file):
    """Takes images of any size that halves five times, as EAST does; free dimensions are named as tf2onnx does."""
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
    free = lambda last: [next(names), next(names), next(names), last]  # noqa: E731
    outputs = [tensor(SCORES, FLOAT, free(1)), tensor(GEOMETRY, FLOAT, free(5))]
    constants = [constant("w", weights), constant("by", [1, 1, 32, 32])]
    return save(file, nodes, [tensor(IMAGES, FLOAT, free(3))], outputs, constants)


def recognition(file):
    """Fixed shapes, the batch of one included, and names that are numbers, as torch.onnx.export gives them."""
    weights = constant("w", np.random.default_rng(4).normal(size=(32, 37)))
    nodes = [
        node("Reshape", ["input.1", "to"], ["image"]),
        node("Transpose", ["image"], ["columns"], perm=[0, 2, 1]),
        node("MatMul", ["columns", "w"], ["308"]),
    ]
    inputs, outputs = [tensor("input.1", FLOAT, [1, 1, 32, 100])], [tensor("308", FLOAT, [1, 100, 37])]
    return save(file, nodes, inputs, outputs, [weights, constant("to", [1, 32, 100], "int64")])


def mixing(file):
    """Rows are divided by the sum over the batch: what may be batched by its shape and must not be."""
    nodes = [node("ReduceSum", ["x", "axes"], ["sum"], keepdims=1), node("Sub", ["x", "sum"], ["y"])]
    return save(
        file, nodes, [tensor("x", FLOAT, ["n", 3])], [tensor("y", FLOAT, ["n", 3])], [constant("axes", [0], "int64")]
    )


def scalars(file):
    """A scalar beside a matrix, and a scalar out."""
    nodes = [node("Mul", ["x", "factor"], ["y"]), node("ReduceMax", ["y"], ["most"], keepdims=0)]
    inputs = [tensor("x", FLOAT, ["n", 3]), tensor("factor", FLOAT, [])]
    return save(file, nodes, inputs, [tensor("y", FLOAT, ["n", 3]), tensor("most", FLOAT, [])])


def one_number_a_row(file):
    """Shape [batch]: without the batch no dimension is left."""
    return doubling(file, shape=("batch",))


def disagreeing(file):
    """Two inputs whose first dimensions are not the same one."""
    nodes = [node("MatMul", ["a", "b"], ["y"])]
    inputs = [tensor("a", FLOAT, ["rows", "shared"]), tensor("b", FLOAT, ["shared", "columns"])]
    return save(file, nodes, inputs, [tensor("y", FLOAT, ["rows", "columns"])])


def kinds(file):
    """Half precision, truth values, texts and 64-bit numbers in and out."""
    nodes = [
        node("Add", ["half", "half"], ["half_out"]),
        node("Not", ["flag"], ["flag_out"]),
        node("Identity", ["text"], ["text_out"]),
        node("Cast", ["number"], ["number_out"], to=DOUBLE),
    ]
    given = {"half": HALF, "flag": BOOL, "text": STRING, "number": INT64}
    inputs = [tensor(name, kind, ["batch", 2]) for name, kind in given.items()]
    outputs = [
        tensor(f"{name}_out", DOUBLE if name == "number" else kind, ["batch", 2]) for name, kind in given.items()
    ]
    return save(file, nodes, inputs, outputs)


def external(file):
    """Weights in a file of their own beside the graph."""
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    return save(
        file, nodes, [tensor("x", FLOAT, ["batch", 8])], [tensor("y", FLOAT, ["batch", 512])],
        [constant("w", np.random.default_rng(5).normal(size=(8, 512)))],
        save_as_external_data=True, location=f"{file.name}.data", size_threshold=0,
    )  # fmt: skip


def inferable(file):
    """The last size of the output is left free, and follows from the weights: 5."""
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    inputs, outputs = [tensor("x", FLOAT, ["n", 3])], [tensor("y", FLOAT, ["n", "classes"])]
    return save(file, nodes, inputs, outputs, [constant("w", np.arange(15).reshape(3, 5))])


def random(file):
    """Other answers each time."""
    nodes = [node("RandomNormalLike", ["x"], ["noise"]), node("Add", ["x", "noise"], ["y"])]
    return save(file, nodes, [tensor("x", FLOAT, ["batch", 3])], [tensor("y", FLOAT, ["batch", 3])])


def undefined(file):
    """Not a number for any negative input, and infinite at zero."""
    nodes = [node("Log", ["x"], ["y"])]
    return save(file, nodes, [tensor("x", FLOAT, ["batch", 3])], [tensor("y", FLOAT, ["batch", 3])])


def picky(file):
    """Runs for one size only, which nobody can guess."""
    nodes = [node("Reshape", ["x", "to"], ["y"])]
    return save(
        file, nodes, [tensor("x", FLOAT, ["batch", "length"])], [tensor("y", FLOAT, ["batch", 7, 11])],
        [constant("to", [-1, 7, 11], "int64")],
    )  # fmt: skip
