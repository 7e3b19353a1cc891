"""Stage 1: the command line, or a YAML file with the same names, becomes one BuildSpec.

Standard library only (config_file.py imports YAML when there is a file): arguments are checked before anything
is installed.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.convert.origins import NONE
from utils.convert.task import Settings, Task
from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.options.command_line import FLAGS, LISTS, PERMISSIONS, flags, make_parser
from utils.options.config_file import read_config
from utils.options.layout_choice import choose_layout
from utils.options.models import RequestedModel, origin_of, requested_models
from utils.options.release_choice import choose_release
from utils.repository import names
from utils.repository.served_names import ServedNames, parse_names
from utils.repository.version_policy import VersionPolicy, parse_policy
from utils.sources.requirements import SourceRequirements, Sources
from utils.sources.storage import parse_reference
from utils.targets import gpus, precisions
from utils.targets.engines import Engine, find_engine
from utils.targets.formats import DEFAULT_FORMAT, INPUT_DTYPES, GraphForm, graph_form
from utils.targets.precisions import Reduction, parse_reduction
from utils.targets.releases import Release
from utils.targets.runtimes import DEFAULT_DEVICE, RUNTIMES
from utils.targets.tuning import Tuning, parse_tuning
from utils.tasks import DEFAULT_TASK, TASKS, find_task, task_options

LABELS_FROM_MODEL = "-"
LARGEST_BATCH = 1024
# A pair of texts has up to four special tokens; each text needs some room beside them.
FEWEST_TOKENS = 8
DEFAULT_FETCH_TIMEOUT = 600
OF_EXPORTS = ("opset", "format", "max_length", "sequence_length", "input_dtype", *precisions.OPTIONS)


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """Everything a build was asked for, checked. `models`: the served one, then those added beside it."""

    sources: Sources
    models: tuple[RequestedModel, ...]
    model_name: str
    tag: str
    max_batch_size: int
    task: Task
    release: Release
    release_reason: str
    device: str
    repository: str
    base_image: str | None
    slim_image: str | None
    max_length: int | None
    layout: str
    engine: Engine
    form: GraphForm
    reduction: Reduction
    tuning: Tuning
    model_version: int | None
    versions_of: str | None
    version_policy: VersionPolicy | None
    gpus: tuple[int, ...]
    names: ServedNames
    options: Settings
    no_image: bool
    dry_run: bool
    no_cache: bool
    no_verify: bool
    json: bool

    @property
    def image(self) -> str:
        """The reference the finished image gets."""
        return f"{self.repository}:{self.tag}"

    @property
    def triton_image(self) -> str:
        """The image Triton is taken from."""
        return self.base_image or self.release.triton_image


def parse_arguments(argv: Sequence[str]) -> BuildSpec:
    """The spec that `argv` asks for; UsageError (exit 2) for anything wrong in it."""
    given = vars(make_parser().parse_intermixed_args(argv))
    if given.pop("debug"):
        os.environ["TRITON_FACTORY_DEBUG"] = "1"
    config = given.pop("config")
    values = {name: value for name, value in given.items() if value not in (None, False)}
    if config is not None:
        values = {**read_config(Path(config), known=set(given), flags=flags(), lists=set(LISTS)), **values}
    if "no_cache" in values:
        os.environ["TRITON_FACTORY_NO_CACHE"] = "1"  # storages fetch in child processes
    return _spec(values)


def _spec(values: dict[str, Any]) -> BuildSpec:
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    for name in ("model", "tokenizer", "id2label"):
        if not texts.get(name):
            raise UsageError(f"{name.upper()} is missing; see make_triton_image.sh --help")
    model_name = names.check_model_name(texts.get("model_name", "ensemble_model"))
    max_batch_size = whole_number("MAX_BATCH_SIZE", texts.get("max_batch_size", "4"), most=LARGEST_BATCH)
    task = find_task(texts.get("task", DEFAULT_TASK))
    length, max_length = _tokens(texts, "sequence_length"), _tokens(texts, "max_length")
    device = _device(texts.get("device", DEFAULT_DEVICE))
    if not task.takes_labels and texts["id2label"] != LABELS_FROM_MODEL:
        raise UsageError(f"--task {task.name} has no labels; give {LABELS_FROM_MODEL} as ID2LABEL")
    served_names = _served_names(texts, task, model_name)
    engine = find_engine(texts.get("engine"), device)
    layout = choose_layout(texts, task, device, engine)
    sources = _sources(
        texts,
        SourceRequirements(
            export_task=task.export_task,
            max_batch_size=max_batch_size,
            max_length=length or max_length,
            takes_labels=task.takes_labels,
            blank_label=task.blank_label,
            accept_unknown=tuple(values.get("accept_unknown", ())),
            sentences=task.sentences,
            **{name: name in values for name in PERMISSIONS},
        ),
    )
    _require_for_graphs(task, texts, model_name)
    served = RequestedModel(
        name=task.graphs.names[0] if task.graphs else model_name,
        reference=sources.model,
        origin=origin_of(task, sources),
    )
    version, versions_of, policy = _versions(texts, task, layout)
    release, reason = choose_release(texts, device)
    _require_export(texts, served)
    form = _form(texts, task)
    return BuildSpec(
        sources=sources,
        models=requested_models(served, task, layout, {name: values[name] for name in LISTS if name in values}),
        model_name=model_name,
        tag=names.check_tag(texts.get("tag", "latest")),
        max_batch_size=max_batch_size,
        task=task,
        release=release,
        release_reason=reason,
        device=device,
        repository=names.check_repository(texts.get("image", f"tritoned_{model_name}")),
        base_image=_optional_image("--base-image", texts.get("base_image")),
        slim_image=_optional_image("--slim-image", texts.get("slim_image")),
        max_length=max_length,
        layout=layout,
        engine=engine,
        form=form,
        reduction=parse_reduction(texts, task, device, form.format, engine),
        tuning=parse_tuning(texts, max_batch_size=max_batch_size, layout=layout, device=device, format=form.format),
        model_version=version,
        versions_of=versions_of,
        version_policy=policy,
        gpus=gpus.parse_gpus(texts.get("gpus"), device),
        names=served_names,
        options=_task_options(values, task),
        **{name: name in values for name in FLAGS},
    )


def _sources(texts: dict[str, str], requirements: SourceRequirements) -> Sources:
    labels = texts["id2label"]
    return Sources(
        model=parse_reference(texts["model"]),
        tokenizer=None if texts["tokenizer"] == NONE else parse_reference(texts["tokenizer"]),
        labels=None if labels == LABELS_FROM_MODEL else parse_reference(labels),
        fetch_timeout=whole_number("--fetch-timeout", texts.get("fetch_timeout", str(DEFAULT_FETCH_TIMEOUT))),
        requirements=requirements,
    )


def _task_options(values: dict[str, Any], task: Task) -> Settings:
    """The options that rows of the table have; UsageError for one that this task's row has not."""
    own = {option.name: option for option in task.options}
    given = {name: values[name] for name in task_options() if name in values}
    for name in given:
        if name not in own:
            having = [other.name for other in TASKS.values() if name in {option.name for option in other.options}]
            raise UsageError(
                f"--{name.replace('_', '-')} is not for --task {task.name}; leave it out, or choose {', '.join(having)}"
            )
    return {name: own[name].parse(value) if isinstance(value, str) else value for name, value in given.items()}


def _require_for_graphs(task: Task, texts: dict[str, str], model_name: str) -> None:
    """UsageError for what a pipeline of ready graphs cannot be called, or lacks."""
    if not task.graphs:
        return
    if model_name in task.graphs.names:
        raise UsageError(f"MODEL_NAME {model_name!r} is what --task {task.name} calls a graph; choose another")
    if task.takes_labels and texts["id2label"] == LABELS_FROM_MODEL:
        raise UsageError(
            f"ID2LABEL is {LABELS_FROM_MODEL}, and the graphs of --task {task.name} do not hold their labels; give the "
            "JSON file"
        )


def _require_export(texts: dict[str, str], served: RequestedModel) -> None:
    """UsageError for an option that says how to export a MODEL that is a graph already."""
    for name in OF_EXPORTS:
        if name in texts and served.origin == "graph":
            raise UsageError(
                f"--{name.replace('_', '-')} {texts[name]} is for models that are exported, and MODEL is a graph "
                "already; leave it out"
            )


def _form(texts: dict[str, str], task: Task) -> GraphForm:
    """What the graph is to be; UsageError for what the task does not allow."""
    length, max_length = _tokens(texts, "sequence_length"), _tokens(texts, "max_length")
    form = graph_form(texts.get("format", DEFAULT_FORMAT), length, texts.get("input_dtype", INPUT_DTYPES[0]))
    if form.format not in task.formats:
        raise UsageError(f"--format {form.format} is not for --task {task.name}; choose {', '.join(task.formats)}")
    if length is not None and max_length not in (None, length):
        raise UsageError(
            f"--sequence-length {length} truncates to exactly that, --max-length to {max_length}; leave one of them out"
        )
    return form


def _versions(texts: dict[str, str], task: Task, layout: str) -> tuple[int | None, str | None, VersionPolicy | None]:
    """--model-version, --versions-of and --version-policy; UsageError where the served model can have no versions."""
    number, tag, policy = (texts.get(name) for name in ("model_version", "versions_of", "version_policy"))
    if (number or tag or policy) and (layout == "ensemble" or len(task.layouts[layout]) > 1):
        raise UsageError(
            f"--model-version, --versions-of and --version-policy are for a served model that is one step, and that of "
            f"--task {task.name} in layout {layout} is made of several, which an older version would share with the "
            "new one; build it under a TAG or MODEL_NAME of its own"
        )
    if tag and not number:
        raise UsageError(f"--versions-of {tag}: say with --model-version N which version joins them")
    return (
        _optional_number("--model-version", number),
        names.check_tag(tag) if tag else None,
        parse_policy(policy) if policy else None,
    )


def _served_names(texts: dict[str, str], task: Task, model_name: str) -> ServedNames:
    served = ServedNames(
        inputs=parse_names("--input-name", texts.get("input_name")),
        outputs=parse_names("--output-name", texts.get("output_name")),
        steps=parse_names("--step-name", texts.get("step_name")),
    )
    served.of_inputs(task.inputs)
    if not task.inputs:  # then the graph's own tensors are served, under their own names
        served.of_outputs(())
    steps = sorted(names.internal_model_names())
    for step, name in served.steps.items():
        if step not in steps:
            raise UsageError(
                f"--step-name {step or name!r} names no step; write STEP=NAME with one of: {', '.join(steps)}"
            )
        names.check_step_name(name)
    models = [model_name, *(served.steps.get(step, step) for step in steps)]
    for name in served.steps.values():
        if models.count(name) > 1:
            raise UsageError(f"--step-name {name!r} would name two models, MODEL_NAME counted; choose another")
    return served


def _optional_number(name: str, text: str | None) -> int | None:
    return None if text is None else whole_number(name, text)


def _tokens(texts: dict[str, str], name: str) -> int | None:
    text = texts.get(name)
    return None if text is None else whole_number(f"--{name.replace('_', '-')}", text, least=FEWEST_TOKENS)


def _optional_image(name: str, text: str | None) -> str | None:
    return None if text is None else names.check_image(name, text)


def _device(text: str) -> str:
    if text not in RUNTIMES:
        raise UsageError(f"--device {text!r} is not known; choose one of: {', '.join(RUNTIMES)}")
    return text
