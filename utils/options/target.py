"""The options that say what a build is made for: device, release, engine, form of the graph, tuning."""

from dataclasses import replace
from typing import Any

from utils.convert.origins.origin import RequestedModel
from utils.convert.task import Task
from utils.host.errors import UsageError
from utils.host.numbers import require_known, whole_number
from utils.options.precision import parse_reduction
from utils.options.release_choice import InstalledGpu, choose_release
from utils.options.values import FEWEST_TOKENS
from utils.repository import names
from utils.repository.serving import Serving
from utils.targets import gpus, precisions
from utils.targets.engines import Engine, check_engine
from utils.targets.formats import DEFAULT_FORMAT, INPUT_DTYPES, GraphForm, graph_form
from utils.targets.fusions import DEFAULT_FUSION, find_fusion
from utils.targets.runtimes import RUNTIMES
from utils.targets.target import Target
from utils.targets.tuning import parse_tuning

OF_EXPORTS = (
    "opset",
    "exporter",
    "format",
    "max_length",
    "sequence_length",
    "input_dtype",
    "fusion",
    *precisions.OPTIONS,
)


def parse_target(
    texts: dict[str, str],
    task: Task,
    device: str,
    engine: Engine,
    serving: Serving,
    served: RequestedModel,
    gpu: InstalledGpu,
) -> Target:
    """All of the target; UsageError for options that do not go together."""
    release, reason = choose_release(texts, device, gpu)
    _require_export(texts, served)
    form = _form(texts, task)
    fusion = find_fusion(
        texts.get("fusion", DEFAULT_FUSION), device=device, engine=engine.name, format_name=form.format
    )
    reduction = parse_reduction(texts, task, device, form.format, engine)
    check_engine(engine, precision=reduction.precision.name, format_name=form.format, release=release.name)
    return Target(
        release=release,
        release_reason=reason,
        device=device,
        engine=engine,
        form=replace(form, fusion=fusion),
        max_length=parse_tokens(texts, "max_length"),
        reduction=reduction,
        tuning=parse_tuning(
            texts, max_batch_size=serving.max_batch_size, layout=serving.layout, device=device, format=form.format
        ),
        gpus=gpus.parse_gpus(texts.get("gpus"), device),
        base_image=_optional_image("--base-image", texts.get("base_image")),
        slim_image=_optional_image("--slim-image", texts.get("slim_image")),
    )


def _require_export(texts: dict[str, str], served: RequestedModel) -> None:
    """UsageError for an export option if MODEL is a graph already."""
    for name in OF_EXPORTS:
        if name in texts and served.origin == "graph":
            raise UsageError(
                f"--{name.replace('_', '-')} {texts[name]} applies to an export, and MODEL is a graph already; "
                "leave it out"
            )


def _form(texts: dict[str, str], task: Task) -> GraphForm:
    """The form of the graph; UsageError if the task does not allow it."""
    length, max_length = parse_tokens(texts, "sequence_length"), parse_tokens(texts, "max_length")
    form = graph_form(texts.get("format", DEFAULT_FORMAT), length, texts.get("input_dtype", INPUT_DTYPES[0]))
    if form.format not in task.formats:
        raise UsageError(f"--format {form.format} is not for --task {task.name}; choose {', '.join(task.formats)}")
    if length is not None and max_length not in (None, length):
        raise UsageError(
            f"--sequence-length {length} truncates to exactly that, --max-length to {max_length}; leave one of them out"
        )
    return form


def parse_tokens(texts: dict[str, Any], name: str) -> int | None:
    """A number of tokens; None without the option."""
    text = texts.get(name)
    return None if text is None else whole_number(f"--{name.replace('_', '-')}", text, least=FEWEST_TOKENS)


def _optional_image(name: str, text: str | None) -> str | None:
    return None if text is None else names.check_image(name, text)


def parse_device(text: str) -> str:
    """--device; UsageError for one that is not known."""
    return require_known("--device", text, RUNTIMES)
