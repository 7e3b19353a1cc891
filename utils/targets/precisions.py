"""The precisions of a served graph: one row each. Standard library only."""

from dataclasses import dataclass
from pathlib import Path

# The numbers of an FP32 server may differ from the reference model's by this: measured differences are below 1e-5.
TOLERANCE = 1e-3
OPTIONS = ("precision", "min_agreement", "max_drift", "eval_file", "calibration_file")
MIN_AGREEMENT = 0.99


@dataclass(frozen=True, kw_only=True)
class Precision:
    """`reducer`: the function of convert/onnx/quantize.py that converts an exported graph to this precision.

    None: the graph stays as it is, and the engine computes in this precision.

    `tolerance`: how far a server's numbers may be from those of ONNX Runtime run directly on the same graph.
    `calibrated_reducer`: likewise with the scales fixed from texts (--calibration-file).
    `elsewhere`: the reason why a device that is not in `devices` is refused.
    """

    name: str
    devices: tuple[str, ...]
    formats: tuple[str, ...]
    tolerance: float
    reducer: str | None = None
    calibrated_reducer: str | None = None
    elsewhere: str = ""


PRECISIONS = {
    row.name: row
    for row in (
        Precision(
            name="fp32", devices=("cpu", "gpu"), formats=("onnx", "torchscript"), tolerance=TOLERANCE, reducer=None
        ),
        Precision(
            name="fp16",
            devices=("gpu",),
            formats=("onnx",),
            # A fine-tuned MiniLM: 0.0012 from FP32, 0.0004 between ONNX Runtime's levels of optimization.
            tolerance=1e-2,
            reducer="to_fp16",
            elsewhere="ONNX Runtime computes FP16 in FP32 there, so nothing is gained",
        ),
        Precision(
            name="int8",
            devices=("cpu",),
            formats=("onnx",),
            # Likewise: nothing between its levels of optimization, 0.0075 between fused kernels and single ones.
            tolerance=2e-2,
            reducer="to_int8",
            calibrated_reducer="to_calibrated_int8",
            elsewhere="ONNX Runtime has no kernels for dynamic quantization there",
        ),
        Precision(
            name="bf16",
            devices=("cpu", "gpu"),
            formats=("onnx",),
            # Of probabilities. Golden answers are those of FP32, which a CPU without BF16 computes in.
            tolerance=5e-2,
        ),
    )
}
DEFAULT_PRECISION = "fp32"


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """The precision of a build, its limits, a file to measure them on, and one to calibrate on.

    `min_agreement`: the least share of answers that must agree. `max_drift`: the largest difference of a probability,
    or of a value that is served as it is; None: any. `calibration_file`: texts that fix the scales of int8.
    """

    precision: Precision = PRECISIONS[DEFAULT_PRECISION]
    min_agreement: float = MIN_AGREEMENT
    max_drift: float | None = None
    eval_file: Path | None = None
    calibration_file: Path | None = None
