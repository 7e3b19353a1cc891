"""Stage 1: the command line, or a YAML file with the same names, becomes one BuildSpec.

Standard library only (config_file.py imports YAML when there is a file): arguments are checked before anything
is installed.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from utils import drivers, entry, names
from utils.config_file import read_config
from utils.errors import UsageError
from utils.formats import DEFAULT_FORMAT, FORMATS, INPUT_DTYPES, GraphForm, graph_form
from utils.numbers import whole_number
from utils.origins import NONE, ORIGINS, find_origin
from utils.releases import Release, default_release, find_release, list_releases
from utils.runtimes import DEFAULT_DEVICE, RUNTIMES
from utils.served_names import ServedNames, parse_names
from utils.storage import Sources, StorageRef, parse_reference
from utils.tasks import DEFAULT_TASK, TASKS, find_task, task_options
from utils.tasks.task import Settings, Task
from utils.terms import Terms

LABELS_FROM_MODEL = "-"
LARGEST_BATCH = 1024
DEFAULT_FETCH_TIMEOUT = 600
LISTS = ("add_model", "golden_inputs")
FLAGS = ("no_image", "dry_run", "no_cache", "no_verify", "json")
PERMISSIONS = ("allow_pickle", "allow_duplicate_labels", "allow_placeholder_labels")


@dataclass(frozen=True, kw_only=True)
class AskedModel:
    """One model of the repository: what kind of thing it is (a row of utils/origins) and where it comes from."""

    name: str
    reference: StorageRef
    origin: str
    golden_inputs: Path | None = None


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """Everything a build was asked for, checked. `models`: the served one, then those added beside it."""

    sources: Sources
    models: tuple[AskedModel, ...]
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
    form: GraphForm
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


class _ListReleases(argparse.Action):
    """Like --help: prints and ends, whatever else stands on the command line."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        entry.write_stdout(list_releases() + "\n")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The command line of make_triton_image.sh; its --help is the README's option table."""
    parser = entry.Parser(
        prog="make_triton_image.sh",
        usage="%(prog)s MODEL TOKENIZER ID2LABEL [MODEL_NAME] [TAG] [MAX_BATCH_SIZE] [options]",
        description="Builds a Triton Inference Server image that answers texts with labels, "
        "and proves that it answers as the PyTorch model does.",
        epilog="example: ./make_triton_image.sh ./model ./model ./id2label.json topics v1 8",
        allow_abbrev=False,
        add_help=True,
    )
    source = "a path, hf:user/name[@revision], clearml:<model id> or s3://bucket/prefix"
    arguments = parser.add_argument_group("arguments")
    _add(arguments, "model", "MODEL", f"the fine-tuned model, or a ready .onnx file: {source}")
    _add(arguments, "tokenizer", "TOKENIZER", "its tokenizer: likewise, independent of MODEL; - for a ready graph")
    _add(arguments, "id2label", "ID2LABEL", "a JSON file with the labels, or - for those in the model's config")
    _add(arguments, "model_name", "MODEL_NAME", "name in the API and in the image's name (default: ensemble_model)")
    _add(arguments, "tag", "TAG", "the image's tag (default: latest)")
    _add(arguments, "max_batch_size", "MAX_BATCH_SIZE", "most texts in one batch (default: 4)")
    options = parser.add_argument_group("options")
    options.add_argument("--config", metavar="FILE.yaml", help="read arguments and options from a YAML file")
    options.add_argument("--task", help=f"what the model does (default: {DEFAULT_TASK})")
    options.add_argument("--device", help=f"cpu: small image; gpu: NVIDIA's full image (default: {DEFAULT_DEVICE})")
    options.add_argument("--layout", help="ensemble: a Triton model a step; fused: one model for all of them")
    options.add_argument("--release", metavar="YY.MM", help=f"Triton release (default: {default_release()})")
    options.add_argument("--driver", metavar="VERSION", help="choose the release for this GPU driver, such as 535.104")
    options.add_argument("--list-releases", action=_ListReleases, nargs=0, help="print what is known of each and exit")
    options.add_argument("--base-image", metavar="IMAGE", help="take Triton from this image, not from NVIDIA's")
    options.add_argument("--slim-image", metavar="IMAGE", help="base of the cpu image (default: the release's Ubuntu)")
    options.add_argument("--image", metavar="REPOSITORY", help="image name without tag (default: tritoned_MODEL_NAME)")
    for option in task_options().values():
        kind: dict[str, Any] = {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
        options.add_argument(f"--{option.name.replace('_', '-')}", help=option.help, **kind)
    options.add_argument(
        "--add-model", metavar="NAME=FILE", action="append", help="serve an ONNX file, too, as NAME; may be repeated"
    )
    options.add_argument(
        "--golden-inputs",
        metavar="FILE.npz",
        action="append",
        help="ask a ready graph these inputs in its proof; [NAME=]FILE.npz, may be repeated",
    )
    options.add_argument("--input-name", metavar="NAME", help="name of the served input, or USUAL=NAME[,USUAL=NAME]")
    options.add_argument("--output-name", metavar="NAME", help="name of the served output, or USUAL=NAME[,USUAL=NAME]")
    options.add_argument(
        "--step-name", metavar="STEP=NAME", help="model names of steps, as text_preprocessing=tokenizer"
    )
    options.add_argument("--max-length", metavar="TOKENS", help="truncate texts to this (default: the model's limit)")
    options.add_argument("--format", help=f"onnx or torchscript: how the model is exported (default: {DEFAULT_FORMAT})")
    options.add_argument("--sequence-length", metavar="TOKENS", help="pad and truncate every text to exactly this")
    options.add_argument(
        "--input-dtype", metavar="DTYPE", help=f"what the graph takes: INT64 or INT32 (default: {INPUT_DTYPES[0]})"
    )
    options.add_argument("--fetch-timeout", metavar="SECONDS", help="limit for each download (default: 600)")
    options.add_argument(
        "--allow-pickle", action="store_true", help="load weights that lie in pickles; trusted ones only"
    )
    options.add_argument("--allow-duplicate-labels", action="store_true", help="let outputs share a label")
    options.add_argument("--allow-placeholder-labels", action="store_true", help="let labels be LABEL_0, LABEL_1 ...")
    options.add_argument("--no-image", action="store_true", help="stop at the proven model repository; no Docker")
    options.add_argument("--dry-run", action="store_true", help="print the plan and write nothing")
    options.add_argument("--no-cache", action="store_true", help="fetch, download and build everything anew")
    options.add_argument("--no-verify", action="store_true", help="skip the boot proof of the built server")
    options.add_argument("--json", action="store_true", help="print the result as one JSON object")
    options.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _add(group: Any, name: str, metavar: str, text: str) -> None:
    group.add_argument(name, metavar=metavar, nargs="?", help=text)


def parse_arguments(argv: Sequence[str]) -> BuildSpec:
    """The spec that `argv` asks for; UsageError (exit 2) for anything wrong in it."""
    given = vars(make_parser().parse_intermixed_args(argv))
    if given.pop("debug"):
        os.environ["TRITON_FACTORY_DEBUG"] = "1"
    config = given.pop("config")
    values = {name: value for name, value in given.items() if value not in (None, False)}
    if config is not None:
        values = {**read_config(Path(config), known=set(given), flags=_flags(), lists=set(LISTS)), **values}
    if "no_cache" in values:
        os.environ["TRITON_FACTORY_NO_CACHE"] = "1"  # storages fetch in child processes
    return _spec(values)


def _flags() -> set[str]:
    return {*FLAGS, *PERMISSIONS, *(option.name for option in task_options().values() if not option.metavar)}


def _spec(values: dict[str, Any]) -> BuildSpec:
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    for name in ("model", "tokenizer", "id2label"):
        if not texts.get(name):
            raise UsageError(f"{name.upper()} is missing; see make_triton_image.sh --help")
    model_name = names.check_model_name(texts.get("model_name", "ensemble_model"))
    max_batch_size = whole_number("MAX_BATCH_SIZE", texts.get("max_batch_size", "4"), most=LARGEST_BATCH)
    task = find_task(texts.get("task", DEFAULT_TASK))
    max_length = _optional_number("--max-length", texts.get("max_length"))
    device = _device(texts.get("device", DEFAULT_DEVICE))
    if not task.takes_labels and texts["id2label"] != LABELS_FROM_MODEL:
        raise UsageError(f"--task {task.name} has no labels; give {LABELS_FROM_MODEL} as ID2LABEL")
    served_names = _served_names(texts, task, model_name)
    layout = _layout(texts.get("layout"), task, device)
    sources = _sources(
        texts,
        Terms(
            export_task=task.export_task,
            max_batch_size=max_batch_size,
            max_length=_optional_number("--sequence-length", texts.get("sequence_length")) or max_length,
            takes_labels=task.takes_labels,
            **{name: name in values for name in PERMISSIONS},
        ),
    )
    served = AskedModel(name=model_name, reference=sources.model, origin=_origin(task, sources))
    release, reason = _release(texts.get("release"), texts.get("driver"), device)
    return BuildSpec(
        sources=sources,
        models=asked_models(served, layout, values.get("add_model", ()), values.get("golden_inputs", ())),
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
        form=_form(texts, task, layout, served),
        names=served_names,
        options=_task_options(values, task),
        **{name: name in values for name in FLAGS},
    )


def _release(name: str | None, driver: str | None, device: str) -> tuple[Release, str]:
    """The release, and why that one where a GPU's driver has a say in it: the one named, else the installed one."""
    if not RUNTIMES[device].needs_driver:
        if driver is not None:
            raise UsageError(f"--driver {driver} chooses a release for a GPU; add --device gpu, or leave it out")
        return find_release(name or default_release()), ""
    if name is not None:
        release = find_release(name)
        return release, drivers.check_driver(driver, release) if driver else ""
    driver = driver or drivers.installed_driver()
    if driver is None:
        return find_release(default_release()), ""
    choice = drivers.choose_release(driver)
    return choice.release, choice.reason


def _sources(texts: dict[str, str], terms: Terms) -> Sources:
    labels = texts["id2label"]
    return Sources(
        model=parse_reference(texts["model"]),
        tokenizer=None if texts["tokenizer"] == NONE else parse_reference(texts["tokenizer"]),
        labels=None if labels == LABELS_FROM_MODEL else parse_reference(labels),
        fetch_timeout=whole_number("--fetch-timeout", texts.get("fetch_timeout", str(DEFAULT_FETCH_TIMEOUT))),
        terms=terms,
    )


def _origin(task: Task, sources: Sources) -> str:
    """What MODEL is; UsageError for what the task does not start from."""
    model, tokenizer = sources.model, sources.tokenizer
    origin = find_origin(task.origins, model, has_tokenizer=tokenizer is not None)
    if origin is None:
        serving = [other.name for other in TASKS.values() if "graph" in other.origins]
        raise UsageError(
            f"MODEL {str(model)!r} is a ready graph and --task {task.name} starts from a Hugging Face model; "
            f"serve the graph itself with --task {' or '.join(serving)}"
        )
    if ORIGINS[origin].needs_tokenizer and tokenizer is None:
        raise UsageError(f"TOKENIZER is {NONE}, which is for ready graphs only; give the model's tokenizer")
    if not ORIGINS[origin].needs_tokenizer and tokenizer is not None:
        raise UsageError(f"TOKENIZER {str(tokenizer)!r}: a ready graph is served without one; give {NONE} as TOKENIZER")
    return origin


def asked_models(
    served: AskedModel, layout: str, added: Sequence[str], golden_inputs: Sequence[str]
) -> tuple[AskedModel, ...]:
    """The served model and those of --add-model, each with its --golden-inputs; UsageError for what cannot be."""
    models = {served.name: served}
    for text in added:
        name, equals, file = text.partition("=")
        if not equals or not file:
            raise UsageError(f"--add-model is {text!r}; write NAME=FILE, such as text_recognition=./str.onnx")
        if layout != "direct":
            raise UsageError(
                f"--add-model {text}: a model can stand beside one that is served by itself, not beside an {layout}; "
                "choose --task onnx or logits"
            )
        names.check_added_name(name)
        if name in models:
            raise UsageError(f"--add-model {name!r} names two models of one repository; choose another name")
        models[name] = AskedModel(name=name, reference=parse_reference(file), origin="graph")
    for text in golden_inputs:
        name, equals, file = text.partition("=")
        name, file = (name, file) if equals and name in models else (served.name, text)
        if models[name].origin != "graph" or models[name].golden_inputs:
            reason = "has some already" if models[name].golden_inputs else "is no ready graph: its task has its own"
            raise UsageError(f"--golden-inputs {text!r}: the model {name!r} {reason}")
        models[name] = replace(models[name], golden_inputs=Path(file).expanduser())
    return tuple(models.values())


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


def _layout(text: str | None, task: Task, device: str) -> str:
    """The one named, else the best that the task and the device both have."""
    possible = [layout for layout in RUNTIMES[device].layouts if layout in task.layouts]
    if text is not None and text not in possible:
        raise UsageError(
            f"--layout {text!r} is none of --task {task.name} on --device {device}; choose from: {', '.join(possible)}"
        )
    return text or possible[0]


def _form(texts: dict[str, str], task: Task, layout: str, served: AskedModel) -> GraphForm:
    """What the graph is to be; UsageError for what the task, the layout or a graph that is ready does not allow."""
    length, max_length = (
        _optional_number(f"--{name.replace('_', '-')}", texts.get(name)) for name in ("sequence_length", "max_length")
    )
    form = graph_form(texts.get("format", DEFAULT_FORMAT), length, texts.get("input_dtype", INPUT_DTYPES[0]))
    if form.format not in task.formats:
        raise UsageError(f"--format {form.format} is not for --task {task.name}; choose {', '.join(task.formats)}")
    if layout not in FORMATS[form.format].layouts:
        raise UsageError(
            f"--layout {layout} runs no {form.format}; choose from: {', '.join(FORMATS[form.format].layouts)}"
        )
    if served.origin == "graph" and form != GraphForm():
        raise UsageError(
            "MODEL is a ready graph, served as it is; --format, --sequence-length and --input-dtype are for models to "
            "be exported: leave them out"
        )
    if length is not None and max_length not in (None, length):
        raise UsageError(
            f"--sequence-length {length} truncates to exactly that, --max-length to {max_length}; leave one of them out"
        )
    return form


def _served_names(texts: dict[str, str], task: Task, model_name: str) -> ServedNames:
    served = ServedNames(
        inputs=parse_names("--input-name", texts.get("input_name")),
        outputs=parse_names("--output-name", texts.get("output_name")),
        steps=parse_names("--step-name", texts.get("step_name")),
    )
    served.of_inputs(task.inputs)
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


def _optional_image(name: str, text: str | None) -> str | None:
    return None if text is None else names.check_image(name, text)


def _device(text: str) -> str:
    if text not in RUNTIMES:
        raise UsageError(f"--device {text!r} is not known; choose one of: {', '.join(RUNTIMES)}")
    return text
