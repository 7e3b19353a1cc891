"""Chooses the layout of a build: --layout, or the best one that fits the other options."""

from collections.abc import Mapping

from utils.convert.task import Task
from utils.host.errors import UsageError
from utils.targets.engines import Engine
from utils.targets.formats import FORMATS
from utils.targets.runtimes import RUNTIMES
from utils.targets.tuning import KNOBS


def choose_layout(texts: Mapping[str, str], task: Task, device: str, engine: Engine) -> str:
    """A name in LAYOUTS; UsageError if --layout, or every layout, contradicts another option."""
    possible = [layout for layout in RUNTIMES[device].layouts if layout in task.layouts]
    named = texts.get("layout")
    if named is not None and named not in possible:
        raise UsageError(
            f"--layout {named!r} is none of --task {task.name} on --device {device}; choose from: {', '.join(possible)}"
        )
    left, before = possible, f"--task {task.name}"
    if named:
        left, before = [named], f"--layout {named}"
    for option, fitting in _fitting(texts, task, engine).items():
        left = [layout for layout in left if layout in fitting]
        if not left:
            others = ", ".join(layout for layout in possible if layout in fitting)
            raise UsageError(
                f"{option} does not go with {before}; leave it out{others and f', or choose --layout {others}'}"
            )
        before = option
    return left[0]


def _fitting(texts: Mapping[str, str], task: Task, engine: Engine) -> dict[str, tuple[str, ...]]:
    """The layouts that fit each option; the defaults fit all."""
    fitting = {}
    if "engine" in texts:
        fitting[f"--engine {engine.name}"] = engine.layouts
    if texts.get("format") in task.formats:  # an unknown one is reported elsewhere
        fitting[f"--format {texts['format']}"] = FORMATS[texts["format"]].layouts
    if "step_name" in texts:  # MODEL_NAME names a single step
        fitting[f"--step-name {texts['step_name']}"] = tuple(
            name for name, steps in task.layouts.items() if len(steps) > 1
        )
    for knob in KNOBS.values():
        if knob.name in texts and "layout" in knob.only:
            fitting[f"{knob.option} {texts[knob.name]}"] = knob.only["layout"]
    return fitting
