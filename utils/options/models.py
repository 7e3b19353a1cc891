"""The models of a build: the served one, and those of --add-model. Standard library only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from utils.convert.origins import NONE, ORIGINS, find_origin, is_frozen
from utils.convert.origins.origin import Models, RequestedModel
from utils.convert.task import Task, pipeline_of
from utils.host.errors import UsageError
from utils.repository import names
from utils.sources.requirements import Sources
from utils.sources.storage import parse_reference
from utils.tasks import TASKS

# Options of a ready graph, [NAME=]VALUE each.
OF_GRAPHS = ("golden_inputs", "inputs", "outputs")


def origin_of(task: Task, sources: Sources) -> str:
    """The row of ORIGINS that MODEL is; UsageError if the task does not accept it."""
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


def require_tunable(origin: str, sources: Sources) -> None:
    """UsageError for an adapter of a model that has none."""
    if sources.adapter and not ORIGINS[origin].needs_tokenizer:
        raise UsageError(
            f"--adapter {str(sources.adapter)!r}: MODEL {str(sources.model)!r} is a ready graph, and adapters are for "
            "Hugging Face models; leave it out"
        )


def requested_models(
    name: str, served: RequestedModel, task: Task, layout: str, options: Mapping[str, Sequence[str]]
) -> Models[RequestedModel]:
    """The served model and those of --add-model; UsageError for options that do not fit.

    `options`: the values of the repeatable options, by their names.
    """
    pipeline = pipeline_of(task)
    needed = pipeline.names[1:] if pipeline else ()
    models = {name: served}
    for text in options.get("add_model", ()):
        added_name, model = _added(text, layout, needed)
        if added_name in models:
            raise UsageError(f"--add-model {added_name!r} names two models of one repository; choose another name")
        models[added_name] = model
    for each in needed:
        if each not in models:
            raise UsageError(f"--task {task.name} needs a second graph: give it with --add-model {each}=FILE")
    for option in OF_GRAPHS:
        for text in options.get(option, ()):
            model_name, value = _option_of(text, models, name)
            models[model_name] = _with(model_name, models[model_name], option, value, text)
    for model in models.values():
        if is_frozen(model.reference) and not (model.inputs and model.outputs):
            raise UsageError(
                f"{str(model.reference)!r} is a frozen TensorFlow graph and does not name its inputs and outputs; "
                "name them with --inputs and --outputs, such as --inputs input_images:0"
            )
    return Models(name=name, served=models.pop(name), added=models)


def _added(text: str, layout: str, needed: tuple[str, ...]) -> tuple[str, RequestedModel]:
    name, _, file = text.partition("=")
    if not file:
        raise UsageError(f"--add-model is {text!r}; write NAME=FILE, such as text_recognition=./str.onnx")
    if layout != "direct" and name not in needed:
        allowed = f"this task takes {', '.join(needed)}" if needed else "choose --task onnx or logits"
        raise UsageError(
            f"--add-model {text}: only a directly served model can have another beside it, not layout {layout}; "
            f"{allowed}"
        )
    return names.check_added_name(name), RequestedModel(reference=parse_reference(file), origin="graph")


def _option_of(text: str, models: Mapping[str, RequestedModel], served: str) -> tuple[str, str]:
    """`[NAME=]VALUE` as (model name, value)."""
    name, equals, value = text.partition("=")
    return (name, value) if equals and name in models else (served, text)


def _with(name: str, model: RequestedModel, option: str, value: str, text: str) -> RequestedModel:
    """The model with this option; UsageError if the option does not fit the model."""
    shown = f"--{option.replace('_', '-')} {text!r}"
    if model.origin != "graph":
        raise UsageError(f"{shown}: the model {name!r} is no ready graph; leave it out")
    if getattr(model, option):
        raise UsageError(f"{shown}: the model {name!r} has that already; give it once")
    if option == "golden_inputs":
        return replace(model, golden_inputs=Path(value).expanduser())
    if model.reference.scheme == "local" and not is_frozen(model.reference):
        raise UsageError(
            f"{shown} is for frozen TensorFlow graphs (.pb): an ONNX graph names its tensors; leave it out"
        )
    tensors = tuple(value.split(","))
    if not all(tensors) or len(set(tensors)) < len(tensors):
        raise UsageError(f"{shown}: write tensors as TensorFlow names them, joined by commas, each once")
    return replace(model, inputs=tensors) if option == "inputs" else replace(model, outputs=tensors)
