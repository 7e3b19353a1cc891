"""Fixed scales in a quantized graph, in place of those that it computes for each tensor.

With fixed scales a text's answer does not depend on the other texts of its batch, so the rows of a batch run together
and read the weights once: a fifth less processor time where other work competes for the caches, and nothing on an idle
machine (docs/performance.md, "Forms of an int8 graph"). A value outside of the calibrated range is clipped to it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from utils.convert.onnx.exported_graph import onnx_session, sort_nodes
from utils.convert.types import Session

DYNAMIC = "DynamicQuantizeLinear"
# ONNX Runtime's operators beside the standard ones (onnxruntime/docs/ContribOperators.md).
CONTRIB = "com.microsoft"

# {the output of a quantizer: (scale, zero point)}
Scales = dict[str, tuple[np.float32, np.uint8]]


def fix_scales(file: Path, run_texts: Callable[[Session], None]) -> None:
    """Changes the graph in `file`, which quantize_dynamic() wrote. `run_texts` runs the calibration texts one by one.

    The scale of a value covers all that it was in these texts.
    """
    import onnx

    model = onnx.load(str(file), load_external_data=False)
    graph = model.graph
    scales = _measured(model, file.with_name(f"observed-{file.name}"), run_texts)
    graph.node.extend(_fixed(graph, scales))
    _fuse_products(graph)
    if all(each.domain != CONTRIB for each in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(CONTRIB, 1))
    del graph.value_info[:]
    sort_nodes(graph)
    file.write_bytes(model.SerializeToString())


def _measured(model: Any, observed: Path, run_texts: Callable[[Session], None]) -> Scales:
    """The scale and zero point of each quantizer, from a copy of `model` with those of each text as outputs."""
    import onnx

    quantizers = [node for node in model.graph.node if node.op_type == DYNAMIC]
    answers = len(model.graph.output)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for _, scale, zero in (node.output for node in quantizers):
        copy.graph.output.append(onnx.helper.make_tensor_value_info(scale, onnx.TensorProto.FLOAT, []))
        copy.graph.output.append(onnx.helper.make_tensor_value_info(zero, onnx.TensorProto.UINT8, []))
    observed.write_bytes(copy.SerializeToString())
    session, (least, most) = onnx_session(observed), np.zeros((2, len(quantizers)))

    def run(feed: Mapping[str, Any]) -> Any:
        outputs = session.run(None, feed)
        scales, zeros = (np.array(outputs[answers + each :: 2], np.float64) for each in (0, 1))
        np.minimum(least, -zeros * scales, out=least)
        np.maximum(most, (255 - zeros) * scales, out=most)
        return outputs[:answers]

    run_texts(run)
    observed.unlink()
    scales = np.maximum((most - least) / 255, np.finfo(np.float32).tiny).astype(np.float32)
    zeros = np.clip(np.rint(-least / scales), 0, 255).astype(np.uint8)
    return {node.output[0]: pair for node, pair in zip(quantizers, zip(scales, zeros, strict=True), strict=True)}


def _fixed(graph: Any, scales: Scales) -> list[Any]:
    """QuantizeLinear with constants in place of each quantizer, which is removed."""
    from onnx import helper, numpy_helper

    made = []
    for node in [node for node in graph.node if node.op_type == DYNAMIC]:
        quantized, *constants = node.output
        for name, value in zip(constants, scales[quantized], strict=True):
            graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        made.append(helper.make_node("QuantizeLinear", [node.input[0], *constants], [quantized]))
        graph.node.remove(node)
    return made


def _fuse_products(graph: Any) -> None:
    """Each product of integers with its conversion to FP32, its scales and its bias as one operator.

    ONNX Runtime fuses them itself only where the scale is computed: it folds two constant scales into one first.
    """
    from onnx import helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    users = defaultdict(list, {value.name: [None] for value in graph.output})
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    made, replaced = [], set[str]()
    for product in (node for node in graph.node if node.op_type == "MatMulInteger"):
        chain = _followed_by(product, ("Cast", "Mul", "Add"), users)
        if len(chain) < 3:
            continue
        _, cast, scaled, *added = chain
        values, weights, *zeros = product.input
        scale, of_both = makers[values].input[1], makers.get(_other(scaled, cast.output[0]))
        if of_both is None or of_both.op_type != "Mul" or scale not in of_both.input:
            continue
        bias = [_other(each, scaled.output[0]) for each in added]
        if not all(name in constants and len(constants[name].dims) == 1 for name in bias):
            bias, chain = [], chain[:3]
        inputs = [values, weights, scale, _other(of_both, scale), *zeros, *bias]
        made.append(helper.make_node("MatMulIntegerToFloat", inputs, chain[-1].output, domain=CONTRIB))
        replaced.update(name for node in (*chain, of_both) for name in node.output)
    kept = [node for node in graph.node if not replaced.intersection(node.output)]
    del graph.node[:]
    graph.node.extend([*kept, *made])


def _other(node: Any, name: str) -> str:
    """The other of a node's two inputs."""
    return str(next(each for each in node.input if each != name))


def _followed_by(node: Any, kinds: Iterable[str], users: Mapping[str, list[Any]]) -> list[Any]:
    """`node` and the nodes of these kinds that follow, each the only user of the one before."""
    found = [node]
    for kind in kinds:
        following = users[found[-1].output[0]]
        if len(following) != 1 or following[0] is None or following[0].op_type != kind:
            break
        found += following
    return found
