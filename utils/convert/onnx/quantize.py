"""Converts an exported ONNX graph to another precision; inputs and outputs keep names, types and shapes."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from utils.convert import exporter
from utils.convert.onnx.constant_shapes import with_constant_shapes
from utils.convert.onnx.exported_graph import read_graph, sort_nodes
from utils.convert.onnx.fixed_scales import fix_scales
from utils.convert.onnx.independent_rows import answer_rows_apart
from utils.convert.types import Session
from utils.host.errors import ExportError
from utils.host.exceptions import brief
from utils.host.progress import without_log
from utils.repository.pipeline import Graph
from utils.targets.releases import Release

# Runs the calibration texts through a session, one by one.
Calibration = Callable[[Session], None]


def reduced(graph: Graph, reducer: str, release: Release, calibration: Calibration | None = None) -> Graph:
    """Replaces the file of `graph` by the result of the function `reducer` of this module; ExportError (4).

    `calibration` is for the reducers that fix scales.
    """
    folder = graph.path.parent
    with tempfile.TemporaryDirectory(prefix="reduce-", dir=folder) as private:
        made = Path(private) / graph.path.name
        try:
            with without_log():  # the converters use the root logger
                REDUCERS[reducer](graph, made, calibration)
                exporter.clamp_ir(made, release)
        except Exception as error:  # the converters raise any type
            raise ExportError(f"the graph cannot be converted: {brief(error)}; build with --precision fp32") from error
        return replaced(graph, made)


def replaced(graph: Graph, made: Path) -> Graph:
    """`graph` with its files replaced by those of the graph in `made`, which has the same name in another folder."""
    folder, external = graph.path.parent, read_graph(made).external_files
    for name in graph.external_files:
        (folder / name).unlink()
    for name in (made.name, *external):
        (made.parent / name).replace(folder / name)
    return replace(graph, external_files=external)


def to_int8(graph: Graph, made: Path, _: Calibration | None = None) -> None:
    """Weights in 8 bits, activations quantized dynamically, each row of a batch separately, with constant shapes."""
    import onnx

    one_row = graph.path.with_name("one_row.onnx")
    has_constant_shapes = with_constant_shapes(graph.path, graph.inputs, one_row)
    _quantize(one_row if has_constant_shapes else graph.path, made, large=bool(graph.external_files))
    one_row.unlink(missing_ok=True)
    model = onnx.load(str(made), load_external_data=False)
    sort_nodes(model.graph)
    answer_rows_apart(model)
    made.write_bytes(model.SerializeToString())


def to_calibrated_int8(graph: Graph, made: Path, calibration: Calibration | None) -> None:
    """Weights in 8 bits, the scales of activations fixed from texts; the rows of a batch run together."""
    assert calibration
    _quantize(graph.path, made, large=bool(graph.external_files))
    fix_scales(made, calibration)


def _quantize(file: Path, made: Path, *, large: bool) -> None:
    """ONNX Runtime's dynamic quantization: a batch is one tensor, whose scale the graph computes.

    reduce_range: products of 8 bits and 8 bits overflow on CPUs without VNNI, and the answers would hang on the machine
    (onnxruntime.ai, Quantize ONNX models, on U8S8); on a fine-tuned MiniLM it costs no accuracy.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        file,
        made,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        use_external_data_format=large,
    )


def to_fp16(graph: Graph, made: Path, _: Calibration | None = None) -> None:
    """Weights and arithmetic in 16 bits, between casts at the inputs and outputs."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    large = bool(graph.external_files)
    model = convert_float_to_float16(onnx.load(str(graph.path)), keep_io_types=True, disable_shape_infer=large)
    onnx.save(model, str(made), save_as_external_data=large, location=f"{made.name}_data")


REDUCERS: dict[str, Callable[[Graph, Path, Calibration | None], None]] = {
    "to_int8": to_int8,
    "to_calibrated_int8": to_calibrated_int8,
    "to_fp16": to_fp16,
}
