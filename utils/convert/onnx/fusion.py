"""Fuses the operators of a transformer graph with onnxruntime's own optimizer (onnxruntime.transformers)."""

from pathlib import Path

from utils.convert import exporter
from utils.convert.onnx.exported_graph import read_graph
from utils.convert.onnx.quantize import quiet
from utils.host.errors import ExportError
from utils.repository.pipeline import Graph
from utils.targets.releases import Release

# The optimizer's word for encoders: its patterns are those of their layers, whatever the model is called.
KIND = "bert"


def fuse(graph: Graph, made: Path, release: Release) -> dict[str, int]:
    """Writes the fused graph to the file `made`; {operator: how many were made}, {} if nothing was. ExportError (4)."""
    from onnxruntime.transformers.optimizer import optimize_model

    try:
        with quiet():
            # 0 heads: read from the graph. Level 0: the patterns only, no optimization for this machine.
            fused = optimize_model(str(graph.path), model_type=KIND, num_heads=0, hidden_size=0, opt_level=0)
            counts = {name: count for name, count in fused.get_fused_operator_statistics().items() if count}
            fused.save_model_to_file(str(made), use_external_data_format=bool(graph.external_files))
            exporter.clamp_ir(made, release)
    except Exception as error:  # the optimizer raises any type
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ExportError(f"onnxruntime's optimizer fails on the graph: {reason}") from error
    return counts


def of_file(graph: Graph, made: Path) -> Graph:
    """The same tensors, in the file `made`."""
    return Graph(
        path=made,
        inputs=graph.inputs,
        outputs=graph.outputs,
        external_files=read_graph(made)[2],
        format=graph.format,
        batched=graph.batched,
    )
