"""The forms of an int8 graph that benchmarks/int8_forms.py compares."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils.convert.onnx.constant_shapes import make_shapes_constant
from utils.convert.onnx.exported_graph import sort_nodes
from utils.convert.onnx.fixed_scales import fix_scales
from utils.convert.onnx.independent_rows import answer_rows_apart
from utils.convert.types import Session
from utils.repository.served_code import load_shared

BUDGET = 256  # tokens in a run
BLOCK = 64  # weights that share a scale, for MatMulNBits

Graph = Any  # an onnx.ModelProto


@dataclass(frozen=True, kw_only=True)
class Batcher:
    """The tokens of texts, and the inputs that a graph takes of them."""

    tokens: Sequence[Sequence[int]]
    inputs: Sequence[str]

    def feed(self, places: Sequence[int]) -> dict[str, Any]:
        """The graph's inputs for one run with these texts, padded to the longest."""
        longest = max(len(self.tokens[place]) for place in places)
        ids, mask = np.zeros((2, len(places), longest), np.int64)
        for row, place in enumerate(places):
            own = self.tokens[place]
            ids[row, : len(own)], mask[row, : len(own)] = own, 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return {name: feed[name] for name in self.inputs}

    def run(self, session: Any, places: Sequence[int]) -> dict[int, Any]:
        """{place: logits} of these texts, in runs of up to BUDGET tokens."""
        found: dict[int, Any] = {}
        lengths = [len(self.tokens[place]) for place in places]
        for group in load_shared("length_batches").length_batches(lengths, BUDGET):
            members = [places[member] for member in group]
            found.update(zip(members, session.run(None, self.feed(members))[0], strict=True))
        return found


def session(graph: bytes | str, **settings: Any) -> Any:
    """ONNX Runtime's, with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    for name, value in {"intra_op_num_threads": 1, "log_severity_level": 3, **settings}.items():
        setattr(options, name, value)
    # The operator of SkipLayerNormFusion makes the dynamic graphs slower.
    providers, disabled = ["CPUExecutionProvider"], ["SkipLayerNormFusion"]
    return onnxruntime.InferenceSession(graph, options, providers=providers, disabled_optimizers=disabled)


def dynamic(graph: Graph, folder: Path) -> Graph:
    """ONNX Runtime's own: a batch is one tensor with one scale."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    onnx.save(graph, str(folder / "before.onnx"))
    quantize_dynamic(
        folder / "before.onnx",
        folder / "after.onnx",
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # after operators that onnx does not know
    )
    made = onnx.load(str(folder / "after.onnx"))
    sort_nodes(made.graph)
    return made


def row_by_row(graph: Graph, folder: Path) -> Graph:
    """A scale for each text: the rows of a batch one after the other."""
    made = dynamic(graph, folder)
    answer_rows_apart(made)
    return made


def constant_shapes(graph: Graph, folder: Path) -> Graph:
    """The same with constant shapes: what the factory builds."""
    make_shapes_constant(graph)
    return row_by_row(graph, folder)


def fused_attention(graph: Graph, folder: Path) -> Graph:
    """The same with ONNX Runtime's operator for attention."""
    import onnx
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    make_shapes_constant(graph)
    onnx.save(graph, str(folder / "before.onnx"))
    options = FusionOptions("bert")
    options.use_multi_head_attention = True
    for name in ("skip_layer_norm", "bias_skip_layer_norm", "embed_layer_norm", "gelu", "bias_gelu"):
        setattr(options, f"enable_{name}", False)
    fused = optimizer.optimize_model(
        str(folder / "before.onnx"), model_type="bert", opt_level=0, optimization_options=options
    )
    if not fused.get_fused_operator_statistics()["MultiHeadAttention"]:
        raise ValueError("no attention was found")
    fused.model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return row_by_row(fused.model, folder)


def fixed_scales(graph: Graph, folder: Path, calibration: Batcher) -> Graph:
    """Scales from calibration texts: what the factory builds with --calibration-file."""
    import onnx

    def run_texts(run: Session) -> None:
        for place in range(len(calibration.tokens)):
            run(calibration.feed([place]))

    file = folder / "fixed.onnx"
    file.write_bytes(dynamic(graph, folder).SerializeToString())
    fix_scales(file, run_texts)
    return onnx.load(str(file))


def scale_of_each_token(graph: Graph, folder: Path) -> Graph:
    """One scale for each token, in the graph's own operators; a batch stays a batch."""
    from onnx import helper, numpy_helper

    made = dynamic(graph, folder)
    constants: dict[str, Any] = {"step": np.float32(1 / 127), "least": np.float32(1e-12), "middle": np.uint8(128)}
    constants |= {"one": np.float32(1), "last_axis": np.array([-1])}
    made.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    users: dict[str, list[Any]] = {}
    for node in made.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    nodes, dropped = [], []
    for node in made.graph.node:
        if node.op_type != "DynamicQuantizeLinear":
            nodes.append(node)
            continue
        (values,), (quantized, scale, zero) = node.input, node.output
        nodes += [
            helper.make_node("Abs", [values], [f"{quantized}/abs"]),
            helper.make_node("ReduceMax", [f"{quantized}/abs", "last_axis"], [f"{quantized}/max"], keepdims=1),
            helper.make_node("Mul", [f"{quantized}/max", "step"], [f"{quantized}/scale"]),
            helper.make_node("Add", [f"{quantized}/scale", "least"], [scale]),
            helper.make_node("Div", [values, scale], [f"{quantized}/scaled"]),
            helper.make_node("QuantizeLinear", [f"{quantized}/scaled", "one", "middle"], [quantized]),
        ]
        for product in users[zero]:
            product.input[2] = "middle"
        for both in users[scale]:  # the product of the two scales, which was one number for each column
            dropped.append(both)
            (column,) = [name for name in both.input if name != scale]
            (last,) = users[both.output[0]]
            (numbers,) = [name for name in last.input if name != both.output[0]]
            result = last.output[0]
            nodes.append(helper.make_node("Mul", [f"{result}/columns", scale], [result]))
            del last.input[:]
            last.input.extend([numbers, column])
            last.output[0] = f"{result}/columns"
    del made.graph.node[:], made.graph.value_info[:]
    made.graph.node.extend(node for node in nodes if not any(node is each for each in dropped))
    sort_nodes(made.graph)
    return made


def blocks_of_weights(graph: Graph, _folder: Path, bits: int = 8) -> Graph:
    """MatMulNBits: a scale for each block of a token and of a column's weights."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(graph, bits=bits, block_size=BLOCK, is_symmetric=True, accuracy_level=4)
    quantizer.process()
    return quantizer.model.model


def forms(calibration: Batcher) -> Mapping[str, Callable[[Graph, Path], Graph]]:
    """{name: what makes the form of an fp32 graph, with a folder for its files}."""
    return {
        "fp32": lambda graph, _: graph,
        "dynamic, a scale for each batch": dynamic,
        "dynamic, a scale for each text": row_by_row,
        "the same with constant shapes": constant_shapes,
        "the same with fused attention": fused_attention,
        "a scale for each token": scale_of_each_token,
        "scales fixed from other texts": lambda graph, folder: fixed_scales(graph, folder, calibration),
        "MatMulNBits, 8 bits": blocks_of_weights,
        "MatMulNBits, 4 bits": lambda graph, folder: blocks_of_weights(graph, folder, 4),
    }
