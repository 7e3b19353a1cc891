"""An ONNX graph that answers each row of a batch by itself: no row, and no padding, has a part in another's answer.

Dynamic quantization takes the range of a whole tensor: beside other texts, or padded, a text would get another answer
(measured on a fine-tuned MiniLM: probabilities up to 0.3 apart). On a CPU a batch gains little over its rows in turn.
"""

from collections.abc import Mapping
from typing import Any

from utils.convert.onnx.walk import rename_values, replace_all

# The text tensors of a graph are told apart from what is made here by this.
PREFIX = "one_row/"
NO, ONE, ALL, SCALAR = (f"{PREFIX}constants/{name}" for name in ("no", "one", "all", "scalar"))
ROW, TOKENS, LENGTH = (f"{PREFIX}sizes/{name}" for name in ("row", "tokens", "length"))


def answer_rows_apart(model: Any) -> None:
    """Puts what `model` (a ModelProto, its inputs [B, tokens]) computes into a Loop over B, each row without padding.

    Weights stay where they are, outside the loop. Padding is what follows the last 1 of attention_mask, where the
    graph takes one; in outputs whose second dimension is free, that of the tokens, zeros take its place.
    """
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in constants]
    outputs = {value.name: value.type.tensor_type for value in graph.output}
    renamed = {name: PREFIX + name for name in (*inputs, *outputs)}
    nodes = list(graph.node)
    rename_values(nodes, renamed)
    body = _body(nodes, inputs, outputs, renamed)
    del graph.value_info[:]
    replace_all(graph.node, _loop(body, inputs[0], list(outputs)))


def _body(nodes: list[Any], inputs: list[str], outputs: Mapping[str, Any], renamed: Mapping[str, str]) -> Any:
    """(number of the row, go on) -> (go on, the row's outputs)."""
    from onnx import TensorProto, helper

    before = [
        *(_constant(name, value) for name, value in ((NO, [0]), (ONE, [1]), (ALL, [-1]), (SCALAR, 0))),
        _node("Reshape", ["number", ONE], ROW),
        _node("Shape", [inputs[0]], f"{TOKENS}/shape"),
        _node("Gather", [f"{TOKENS}/shape", ONE], TOKENS),
        *_length("attention_mask" if "attention_mask" in inputs else None),
    ]
    for name in inputs:
        padded = f"{renamed[name]}/padded"
        before += [_node("Gather", [name, ROW], padded), _node("Slice", [padded, NO, LENGTH, ONE], renamed[name])]
    after = [_node("Identity", ["go_on"], f"{PREFIX}go_on")]
    results = [helper.make_tensor_value_info(f"{PREFIX}go_on", TensorProto.BOOL, [])]
    for name, kind in outputs.items():
        result, made = _result(renamed[name], kind.shape.dim)
        after += made
        results.append(helper.make_tensor_value_info(result, kind.elem_type, None))
    state = {"number": TensorProto.INT64, "go_on": TensorProto.BOOL}
    values = [helper.make_tensor_value_info(name, kind, []) for name, kind in state.items()]
    return helper.make_graph([*before, *nodes, *after], "one_row", values, results)


def _length(mask: str | None) -> list[Any]:
    """Up to the mask's last 1; a row without any keeps one token."""
    if mask is None:
        return [_node("Identity", [TOKENS], LENGTH)]
    row, places, flat, counted, last = (f"{LENGTH}/{name}" for name in ("row", "places", "flat", "counted", "last"))
    return [
        _node("Gather", [mask, "number"], row),
        _node("NonZero", [row], places),
        _node("Reshape", [places, ALL], flat),
        _node("Concat", [NO, flat], counted, axis=0),
        _node("ReduceMax", [counted], last, keepdims=1),
        _node("Add", [last, ONE], LENGTH),
    ]


def _result(name: str, dims: Any) -> tuple[str, list[Any]]:
    """One row's output as the loop stacks it: of one shape for all rows, without a batch dimension."""
    made = [_node("Gather", [name, SCALAR], f"{name}/row")]
    if len(dims) < 2 or dims[1].HasField("dim_value"):
        return f"{name}/row", made
    after = [NO] * (len(dims) - 2)
    return f"{name}/whole", [
        *made,
        _node("Sub", [TOKENS, LENGTH], f"{name}/missing"),
        _node("Concat", [NO, *after, f"{name}/missing", *after], f"{name}/pads", axis=0),
        _node("Pad", [f"{name}/row", f"{name}/pads"], f"{name}/whole"),
    ]


def _loop(body: Any, first_input: str, outputs: list[str]) -> list[Any]:
    from onnx import TensorProto, helper

    shape, zero, count, going = (f"rows/{name}" for name in ("shape", "zero", "count", "going"))
    return [
        _constant(zero, 0),
        _node("Shape", [first_input], shape),
        _node("Gather", [shape, zero], count),
        helper.make_node("Constant", [], [going], value=helper.make_tensor("true", TensorProto.BOOL, [], [True])),
        helper.make_node("Loop", [count, going], outputs, body=body),
    ]


def _constant(name: str, value: int | list[int]) -> Any:
    import numpy as np
    from onnx import helper, numpy_helper

    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value, dtype=np.int64)))


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, [output], **attributes)
