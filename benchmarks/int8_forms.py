"""Forms of an int8 graph against each other: `python -m benchmarks.int8_forms GRAPH` of a fused BERT in fp32.

GRAPH is build/NAME/TAG/model_repository/NAME/1/model.onnx. Each form runs the same texts in one process on one thread,
in turns. The table has the processor time of a text, by itself and among others; how far probabilities drift from
fp32's; and how far a text's probabilities depend on the texts beside it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.texts import make_texts
from utils.convert.onnx.constant_shapes import make_shapes_constant
from utils.convert.onnx.exported_graph import sort_nodes
from utils.convert.onnx.independent_rows import answer_rows_apart
from utils.repository.served_code import load_shared

TEXTS, COMPARED = 192, 400
AMONG = 16  # texts at a time, in runs of up to BUDGET tokens
BUDGET = 256
BLOCK = 64  # weights that share a scale, for MatMulNBits

Graph = Any  # an onnx.ModelProto


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


FORMS: Mapping[str, Callable[[Graph, Path], Graph]] = {
    "fp32": lambda graph, _: graph,
    "dynamic, a scale for each batch": dynamic,
    "dynamic, a scale for each text": row_by_row,
    "the same with constant shapes": constant_shapes,
    "the same with fused attention": fused_attention,
    "a scale for each token": scale_of_each_token,
    "MatMulNBits, 8 bits": blocks_of_weights,
    "MatMulNBits, 4 bits": lambda graph, folder: blocks_of_weights(graph, folder, 4),
}


@dataclass(frozen=True, kw_only=True)
class Batcher:
    """The tokens of texts, and the inputs that a graph takes of them."""

    tokens: Sequence[Sequence[int]]
    inputs: Sequence[str]

    def run(self, session: Any, places: Sequence[int]) -> dict[int, Any]:
        """{place: logits} of these texts, in runs of up to BUDGET tokens."""
        found = {}
        lengths = [len(self.tokens[place]) for place in places]
        for group in load_shared("length_batches").length_batches(lengths, BUDGET):
            longest = lengths[group[0]]
            ids, mask = np.zeros((2, len(group), longest), np.int64)
            for row, member in enumerate(group):
                own = self.tokens[places[member]]
                ids[row, : len(own)], mask[row, : len(own)] = own, 1
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            logits = session.run(None, {name: feed[name] for name in self.inputs})[0]
            found.update({places[member]: row for member, row in zip(group, logits, strict=True)})
        return found


def sessions(file: Path) -> dict[str, Any]:
    """One for each form; a form that cannot be made is named."""
    import onnx
    import onnxruntime

    options, made = onnxruntime.SessionOptions(), {}
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    for name, form in FORMS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                graph = form(onnx.load(str(file)), Path(folder))
            except Exception as error:  # the tools raise any type
                print(f"{name}: not made: {error}")
                continue
            made[name] = onnxruntime.InferenceSession(
                graph.SerializeToString(),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=["SkipLayerNormFusion"],  # its operator makes the dynamic graphs slower
            )
    return made


def probabilities(batcher: Batcher, session: Any, at_once: int) -> Any:
    """Softmax of the logits of COMPARED texts, so many at once."""
    rows: dict[int, Any] = {}
    for start in range(0, COMPARED, at_once):
        rows |= batcher.run(session, range(start, min(COMPARED, start + at_once)))
    logits = np.stack([rows[place] for place in range(COMPARED)])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def milliseconds(batcher: Batcher, session: Any, at_once: int, first: int) -> float:
    """Processor time of a text."""
    before = time.process_time()
    for start in range(first, first + TEXTS, at_once):
        batcher.run(session, [place % len(batcher.tokens) for place in range(start, start + at_once)])
    return (time.process_time() - before) / TEXTS * 1e3


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8_forms", description=__doc__)
    parser.add_argument("graph", type=Path)
    parser.add_argument("--rounds", type=int, default=8, help="(default: %(default)s)")
    options = parser.parse_args()
    tokenization = load_shared("tokenization")
    settings = {"max_length": 512, "truncation_side": "right", "padding": None}
    tokenizer = tokenization.load_tokenizer(options.graph.with_name("tokenizer.json"), settings, padded=False)
    made = sessions(options.graph)
    tokens = [each.ids for each in tokenization.tokenize(tokenizer, make_texts("mixed"))]
    batcher = Batcher(tokens=tokens, inputs=[node.name for node in made["fp32"].get_inputs()])
    took: dict[tuple[str, int], list[float]] = {(name, count): [] for name in made for count in (1, AMONG)}
    for number in range(options.rounds):
        for (name, count), values in took.items():
            values.append(milliseconds(batcher, made[name], count, number * TEXTS))
    expected = probabilities(batcher, made["fp32"], 1)
    print(f"| form | ms, 1 text | ms, {AMONG} texts | drift: median | 95% | largest | same label | by other texts |")
    print("|---|---|---|---|---|---|---|---|")
    for name, session in made.items():
        alone, among = (probabilities(batcher, session, count) for count in (1, COMPARED))
        drift = np.abs(alone - expected).max(axis=1)
        same = (alone.argmax(axis=1) == expected.argmax(axis=1)).mean()
        times = " | ".join(f"{statistics.median(took[name, count]):.2f}" for count in (1, AMONG))
        shares = " | ".join(f"{each:.4f}" for each in (*np.quantile(drift, (0.5, 0.95)), drift.max()))
        print(f"| {name} | {times} | {shares} | {same:.2%} | {np.abs(alone - among).max():.4f} |")


if __name__ == "__main__":
    main()
