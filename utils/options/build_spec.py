"""Stage 1: the command line, or a YAML file with the same names, becomes one BuildSpec.

Standard library only (config_file.py imports YAML when there is a file): arguments are checked before anything
is installed. Nothing here changes the environment or starts a process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from utils.convert.origins import NONE
from utils.convert.origins.origin import Request, RequestedModel, Source
from utils.convert.task import ModelTask, Task, pipeline_of
from utils.convert.types import Settings
from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.options.arguments import read_arguments
from utils.options.command_line import FLAGS, LISTS, PERMISSIONS
from utils.options.image_labels import parse_labels
from utils.options.layout_choice import choose_layout
from utils.options.models import origin_of, requested_models, require_tunable
from utils.options.publication import Publication, parse_publication, require_registry
from utils.options.release_choice import InstalledGpu
from utils.options.serving import parse_served_names, parse_serving
from utils.options.target import parse_device, parse_target, parse_tokens
from utils.options.values import DEFAULTS, LARGEST_BATCH
from utils.repository import names
from utils.repository.serving import Serving
from utils.sources.requirements import SourceRequirements, Sources
from utils.sources.storage import parse_reference
from utils.targets.apis import parse_apis
from utils.targets.engines import find_engine
from utils.targets.exporters import parse_exporter
from utils.targets.target import Target
from utils.tasks import TASKS, find_task, task_options

LABELS_FROM_MODEL = "-"


@dataclass(frozen=True, kw_only=True)
class Output:
    """What is made of the model repository, and how a build reports. The flags are the options of the same names.

    `labels`: those of --label, for the image. `api`: the rows of targets/apis.py that it has.
    """

    repository: str
    tag: str
    no_image: bool = False
    dry_run: bool = False
    no_cache: bool = False
    no_verify: bool = False
    no_measure: bool = False
    json: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    api: tuple[str, ...] = ()
    publication: Publication = field(default_factory=Publication)

    @property
    def image(self) -> str:
        """The reference of the finished image."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """All options of a build, checked."""

    source: Source
    target: Target
    serving: Serving
    output: Output

    @property
    def request(self) -> Request:
        """The part of it that the origins read."""
        return Request(source=self.source, target=self.target, serving=self.serving, use_cache=not self.output.no_cache)


def parse_arguments(argv: Sequence[str], gpu: InstalledGpu | None = None) -> BuildSpec:
    """The spec of `argv`; UsageError (exit 2) for anything wrong in it. `gpu`: what this machine has."""
    return build_spec(read_arguments(argv).values, gpu or InstalledGpu())


def build_spec(values: dict[str, Any], gpu: InstalledGpu) -> BuildSpec:
    """The spec of values as read_arguments gives them; UsageError (exit 2) for anything wrong in them."""
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    for name in ("model", "tokenizer", "id2label"):
        if not texts.get(name):
            raise UsageError(f"{name.upper()} is missing; see make_triton_image.sh --help")
    model_name = names.check_model_name(texts.get("model_name", DEFAULTS["model_name"]))
    max_batch_size = whole_number(
        "MAX_BATCH_SIZE", texts.get("max_batch_size", DEFAULTS["max_batch_size"]), most=LARGEST_BATCH
    )
    task = find_task(texts.get("task", DEFAULTS["task"]))
    requirements = _requirements(values, task, max_batch_size)
    device = parse_device(texts.get("device", DEFAULTS["device"]))
    if not task.takes_labels and texts["id2label"] != LABELS_FROM_MODEL:
        raise UsageError(f"--task {task.name} has no labels; give {LABELS_FROM_MODEL} as ID2LABEL")
    served_names = parse_served_names(texts, task, model_name)
    engine = find_engine(texts.get("engine"), device)
    layout = choose_layout(texts, task, device, engine)
    sources = _sources(texts, requirements)
    _require_for_graphs(task, texts, model_name)
    served = RequestedModel(reference=sources.model, origin=origin_of(task, sources))
    require_tunable(served.origin, sources)
    serving = parse_serving(texts, task, layout, model_name, max_batch_size, served_names)
    target = parse_target(texts, task, device, engine, serving, served, gpu)
    lists = {name: values[name] for name in LISTS if name in values}
    pipeline = pipeline_of(task)
    graph_name = pipeline.names[0] if pipeline else model_name
    return BuildSpec(
        source=Source(
            sources=sources,
            models=requested_models(graph_name, served, task, layout, lists),
            task=task,
            options=_task_options(values, task),
        ),
        target=target,
        serving=serving,
        output=_output(values, model_name, task),
    )


def _output(values: dict[str, Any], model_name: str, task: Task) -> Output:
    output = Output(
        repository=names.check_repository(values.get("image", f"tritoned_{model_name}")),
        tag=names.check_tag(values.get("tag", DEFAULTS["tag"])),
        labels=parse_labels(values.get("label", ())),
        api=parse_apis(values["api"], task.name) if "api" in values else (),
        publication=parse_publication(values),
        **{name: name in values for name in FLAGS},
    )
    require_registry(output.publication, output.image)
    return output


def _requirements(values: dict[str, Any], task: Task, max_batch_size: int) -> SourceRequirements:
    length, max_length = parse_tokens(values, "sequence_length"), parse_tokens(values, "max_length")
    of_model: dict[str, Any] = {name: name in values for name in PERMISSIONS}
    if isinstance(task, ModelTask):
        of_model |= {"export_task": task.export_task, "sentences": task.sentences, "setfit": "setfit" in task.variants}
    return SourceRequirements(
        max_batch_size=max_batch_size,
        max_length=length or max_length,
        takes_labels=task.takes_labels,
        blank_label=task.blank_label,
        accept_unknown=tuple(values.get("accept_unknown", ())),
        exporter=parse_exporter(values.get("exporter")),
        **of_model,
    )


def _sources(texts: dict[str, str], requirements: SourceRequirements) -> Sources:
    labels = texts["id2label"]
    return Sources(
        model=parse_reference(texts["model"]),
        tokenizer=None if texts["tokenizer"] == NONE else parse_reference(texts["tokenizer"]),
        labels=None if labels == LABELS_FROM_MODEL else parse_reference(labels),
        adapter=parse_reference(texts["adapter"]) if "adapter" in texts else None,
        fetch_timeout=whole_number("--fetch-timeout", texts.get("fetch_timeout", DEFAULTS["fetch_timeout"])),
        requirements=requirements,
    )


def _task_options(values: dict[str, Any], task: Task) -> Settings:
    """The options that rows of the table have; UsageError for one that this task's row has not."""
    own = {option.name: option for option in task.options}
    chosen = {name: values[name] for name in task_options() if name in values}
    for name in chosen:
        if name not in own:
            having = [other.name for other in TASKS.values() if name in {option.name for option in other.options}]
            raise UsageError(
                f"--{name.replace('_', '-')} is not for --task {task.name}; leave it out, or choose {', '.join(having)}"
            )
    return {name: own[name].value(value) if isinstance(value, str) else value for name, value in chosen.items()}


def _require_for_graphs(task: Task, texts: dict[str, str], model_name: str) -> None:
    """UsageError for what a pipeline of ready graphs cannot be called, or lacks."""
    pipeline = pipeline_of(task)
    if not pipeline:
        return
    if model_name in pipeline.names:
        raise UsageError(f"MODEL_NAME {model_name!r} is what --task {task.name} calls a graph; choose another")
    if task.takes_labels and texts["id2label"] == LABELS_FROM_MODEL:
        raise UsageError(
            f"ID2LABEL is {LABELS_FROM_MODEL}, and the graphs of --task {task.name} do not hold their labels; give the "
            "JSON file"
        )
