"""The fusions of an exported graph: one row each. Standard library only."""

from dataclasses import dataclass

from utils.host.errors import UsageError
from utils.host.numbers import require_known


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """`devices`, `engines` and `formats` that run its graphs; (): all."""

    name: str
    devices: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()


FUSIONS = {
    row.name: row
    for row in (
        Fusion(name="none"),
        # Operators of ONNX Runtime's own domain (com.microsoft), which neither TensorRT nor OpenVINO knows. On a CPU
        # ONNX Runtime makes most of them itself when it loads a graph.
        Fusion(name="transformers", devices=("gpu",), engines=("onnxruntime",), formats=("onnx",)),
    )
}
DEFAULT_FUSION = "none"


def find_fusion(name: str, *, device: str, engine: str, format_name: str) -> str:
    """The name of a row; UsageError for one that is not known or not for the other choices."""
    row = FUSIONS[require_known("--fusion", name, FUSIONS)]
    choices = (("device", device, row.devices), ("engine", engine, row.engines), ("format", format_name, row.formats))
    for option, value, fitting in choices:
        if fitting and value not in fitting:
            raise UsageError(
                f"--fusion {name} is not for --{option} {value}; leave it out, or build with --{option} "
                f"{' or '.join(fitting)}"
            )
    return name
