"""The graph with fused operators (--fusion), if it still agrees with PyTorch."""

import tempfile
from pathlib import Path

from utils.convert import parity
from utils.convert.onnx import fusion
from utils.convert.onnx.quantize import replaced
from utils.convert.spec import ConversionSpec
from utils.convert.types import FrozenTokenizer, ReferenceModel
from utils.host.errors import ExportError, ParityError
from utils.host.progress import note, warn
from utils.repository.pipeline import Graph
from utils.targets.fusions import DEFAULT_FUSION


def with_fusion(graph: Graph, frozen: FrozenTokenizer, reference: ReferenceModel, spec: ConversionSpec) -> Graph:
    """The graph in place of `graph` on disk, compared with PyTorch in FP32 on this CPU, in the same way.

    `graph` itself, with a warning that says why, if nothing was fused, or if the result does not run or not agree.
    """
    if spec.target.form.fusion == DEFAULT_FUSION:
        return graph
    with tempfile.TemporaryDirectory(prefix="fuse-", dir=graph.path.parent) as private:
        made = Path(private) / graph.path.name
        try:
            counts = fusion.fuse(graph, made, spec.target.release)
            if not counts:
                raise ExportError("onnxruntime's optimizer finds nothing to fuse in it")
            result = parity.check_outputs(
                fusion.of_file(graph, made),
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
