"""The precisions a graph can be served in: one row each. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from utils.convert.task import Task
from utils.host.errors import UsageError
from utils.proof.golden import TOLERANCE
from utils.targets.engines import ENGINES, Engine

OPTIONS = ("precision", "min_agreement", "eval_file")
MIN_AGREEMENT = 0.99


@dataclass(frozen=True, kw_only=True)
class Precision:
    """`reducer`: the function of utils/convert/onnx/quantize.py that makes such a graph of an exported one.

    None where the graph stays as it is: in another precision than the default it is the engine that computes so.

    `tolerance`: how far a server's numbers may be from those of ONNX Runtime run directly on the same graph.
    `elsewhere`: why it is refused on a device that is not among `devices`.
    """

    name: str
    devices: tuple[str, ...]
    formats: tuple[str, ...]
    tolerance: float
    reducer: str | None = None
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
            elsewhere="ONNX Runtime has no kernels for dynamic quantization there",
        ),
        Precision(
            name="bf16",
            devices=("cpu",),
            formats=("onnx",),
            # Of probabilities. Golden answers are those of FP32, which a CPU without BF16 computes in.
            tolerance=5e-2,
            elsewhere="it is what OpenVINO computes in on some CPUs",
        ),
    )
}
DEFAULT_PRECISION = "fp32"


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """The precision asked for, and what guards it: the least share of answers that agree, and texts to measure it."""

    precision: Precision = PRECISIONS[DEFAULT_PRECISION]
    min_agreement: float = MIN_AGREEMENT
    eval_file: Path | None = None


def parse_reduction(texts: Mapping[str, str], task: Task, device: str, format_name: str, engine: Engine) -> Reduction:
    """The options OPTIONS; UsageError for what the task, the device, the format or the engine does not allow."""
    name = texts.get("precision", DEFAULT_PRECISION)
    if name not in PRECISIONS:
        raise UsageError(f"--precision {name!r} is not known; choose one of: {', '.join(PRECISIONS)}")
    row = PRECISIONS[name]
    if device not in row.devices:
        fitting = ", ".join(other.name for other in PRECISIONS.values() if device in other.devices)
        raise UsageError(
            f"--precision {name} is not for --device {device}: {row.elsewhere}; choose {fitting}, "
            f"or build with --device {row.devices[0]}"
        )
    if format_name not in row.formats:
        raise UsageError(f"--precision {name} is not for --format {format_name}; choose {', '.join(row.formats)}")
    if name not in engine.precisions:
        having = [other.name for other in ENGINES.values() if name in other.precisions]
        raise UsageError(
            f"--precision {name} is not for --engine {engine.name}, which computes in {', '.join(engine.precisions)}; "
            f"choose one of these, or --engine {' or '.join(having)}"
        )
    if name == DEFAULT_PRECISION:
        given = [option for option in OPTIONS[1:] if option in texts]
        if given:
            raise UsageError(
                f"--{given[0].replace('_', '-')} measures a reduced precision, and {name} is the model's own; "
                "give --precision, too, or leave it out"
            )
        return Reduction(precision=row)
    _check_task(task, name, has_eval_file="eval_file" in texts)
    return Reduction(
        precision=row,
        min_agreement=_share(texts.get("min_agreement", str(MIN_AGREEMENT))),
        eval_file=Path(texts["eval_file"]).expanduser() if "eval_file" in texts else None,
    )


def _check_task(task: Task, name: str, *, has_eval_file: bool) -> None:
    if task.guard is None:
        raise UsageError(
            f"--precision {name} is not for --task {task.name}, as nothing says when its answers are good enough; "
            f"build it with {DEFAULT_PRECISION}"
        )
    if has_eval_file and not task.guard.labelled:
        raise UsageError(f"--eval-file holds a label for each text, and --task {task.name} gives none; leave it out")


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--min-agreement {text!r} is no share of answers; give a number from 0 to 1, such as 0.99")
    return share
