"""The graph with operators fused by onnxruntime's own optimizer (--fusion), if it still agrees with PyTorch."""

import tempfile
from dataclasses import replace
from pathlib import Path

from utils.convert import exporter, parity
from utils.convert.onnx.exported_graph import read_graph
from utils.convert.onnx.quantize import replaced
from utils.convert.task import ConversionSpec
from utils.convert.types import FrozenTokenizer, ReferenceModel
from utils.host.errors import ExportError, ParityError
from utils.host.exceptions import brief
from utils.host.progress import note, warn, without_log
from utils.repository.pipeline import Graph
from utils.targets.fusions import DEFAULT_FUSION
from utils.targets.releases import Release

# The optimizer's word for encoders: its patterns are those of their layers, whatever the model is called.
KIND = "bert"


def with_fusion(graph: Graph, frozen: FrozenTokenizer, reference: ReferenceModel, spec: ConversionSpec) -> Graph:
    """The graph in place of `graph` on disk, compared with PyTorch in FP32 on this CPU, in the same way.

    `graph` itself, with a warning that says why, if nothing was fused, or if the result does not run or not agree.
    """
    if spec.target.form.fusion == DEFAULT_FUSION:
        return graph
    with tempfile.TemporaryDirectory(prefix="fuse-", dir=graph.path.parent) as private:
        made = Path(private) / graph.path.name
        try:
            counts = fuse(graph, made, spec.target.release)
            if not counts:
                raise ExportError("onnxruntime's optimizer finds nothing to fuse in it")
            result = parity.check_outputs(
                replace(graph, path=made, external_files=read_graph(made).external_files),
                frozen,
                reference.texts,
                reference.outputs,
                max_batch_size=spec.max_batch_size,
            )
        except (ExportError, ParityError) as error:
            warn(f"--fusion {spec.target.form.fusion}: the graph stays as it is, because {error}")
            return graph
        made_of = ", ".join(f"{count} {name}" for name, count in counts.items())
        note(f"fused operators: {made_of}; max abs diff {result.max_difference:.1e} from PyTorch")
        return replaced(graph, made)


def fuse(graph: Graph, made: Path, release: Release) -> dict[str, int]:
    """Writes the fused graph to the file `made`; {operator: how many were made}, {} if nothing was. ExportError (4)."""
    from onnxruntime.transformers.optimizer import optimize_model

    try:
        with without_log():
            # 0 heads: read from the graph. Level 0: the patterns only, no optimization for this machine.
            fused = optimize_model(str(graph.path), model_type=KIND, num_heads=0, hidden_size=0, opt_level=0)
            counts = {name: count for name, count in fused.get_fused_operator_statistics().items() if count}
            fused.save_model_to_file(str(made), use_external_data_format=bool(graph.external_files))
            exporter.clamp_ir(made, release)
    except Exception as error:  # the optimizer raises any type
        raise ExportError(f"onnxruntime's optimizer fails on the graph: {brief(error)}") from error
    return counts
