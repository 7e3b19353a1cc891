"""--precision, --min-agreement, --max-drift, --eval-file and --calibration-file."""

import math
from collections.abc import Mapping
from pathlib import Path

from utils.convert.task import ModelTask, Task
from utils.host.errors import UsageError
from utils.host.numbers import require_known
from utils.targets.engines import ENGINES, Engine
from utils.targets.precisions import DEFAULT_PRECISION, MIN_AGREEMENT, PRECISIONS, Reduction
from utils.tasks import TASKS


def parse_reduction(texts: Mapping[str, str], task: Task, device: str, format_name: str, engine: Engine) -> Reduction:
    """The values of OPTIONS; UsageError if task, device, format or engine does not allow them."""
    name = texts.get("precision", DEFAULT_PRECISION)
    row = PRECISIONS[require_known("--precision", name, PRECISIONS)]
    if device not in row.devices:
        fitting = ", ".join(other.name for other in PRECISIONS.values() if device in other.devices)
        raise UsageError(
            f"--precision {name} is not for --device {device}: {row.elsewhere}; choose {fitting}, "
            f"or build with --device {row.devices[0]}"
        )
    if format_name not in row.formats:
        raise UsageError(f"--precision {name} is not for --format {format_name}; choose {', '.join(row.formats)}")
    if name not in engine.precisions:
        having = [each.name for each in ENGINES.values() if name in each.precisions and device in each.devices]
        raise UsageError(
            f"--precision {name} is not for --engine {engine.name}, which computes in {', '.join(engine.precisions)}; "
            f"choose one of these, or --engine {' or '.join(having)}"
        )
    eval_file, calibration_file = (
        Path(texts[option]).expanduser() if option in texts else None for option in ("eval_file", "calibration_file")
    )
    _check_task(task, name, has_eval_file=eval_file is not None)
    if calibration_file and row.calibrated_reducer is None:
        calibrated = " or ".join(each.name for each in PRECISIONS.values() if each.calibrated_reducer)
        raise UsageError(
            f"--calibration-file is for --precision {calibrated}, not for {name}; add it, or leave the file out"
        )
    if name == DEFAULT_PRECISION:
        for option in ("min-agreement", "max-drift"):
            if option.replace("-", "_") in texts:
                raise UsageError(
                    f"--{option} applies to a reduced precision, and {name} is the default; add --precision, or leave "
                    "it out"
                )
        return Reduction(precision=row, eval_file=eval_file)
    return Reduction(
        precision=row,
        min_agreement=_number("--min-agreement", texts.get("min_agreement", str(MIN_AGREEMENT)), most=1),
        max_drift=_number("--max-drift", texts["max_drift"]) if "max_drift" in texts else None,
        eval_file=eval_file,
        calibration_file=calibration_file,
    )


def _check_task(task: Task, name: str, *, has_eval_file: bool) -> None:
    guard = task.guard if isinstance(task, ModelTask) else None
    if guard is None and name != DEFAULT_PRECISION:
        raise UsageError(
            f"--precision {name} is not for --task {task.name}, because the task has no measure of agreement; "
            f"build it with {DEFAULT_PRECISION}"
        )
    if has_eval_file and not _has_right_answers(task):
        having = ", ".join(each.name for each in TASKS.values() if _has_right_answers(each))
        raise UsageError(f"--eval-file is not for --task {task.name}, which has no right answers; choose {having}")


def _has_right_answers(task: Task) -> bool:
    return isinstance(task, ModelTask) and task.right_answers is not None


def _number(option: str, text: str, most: float = math.inf) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most or math.isinf(number):
        raise UsageError(f"{option} {text!r} must be a number from 0{' to 1, such as 0.99' if most == 1 else ' on'}")
    return number
