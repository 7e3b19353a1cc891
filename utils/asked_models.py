"""The models that a build is asked for: the served one, and those that stand beside it. Standard library only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from utils import names
from utils.errors import UsageError
from utils.origins import NONE, ORIGINS, find_origin, is_frozen
from utils.storage import Sources, StorageRef, parse_reference
from utils.tasks import TASKS
from utils.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class AskedModel:
    """One model of the repository: what kind of thing it is (a row of utils/origins) and where it comes from.

    cut_inputs, cut_outputs: the tensors between which a frozen TensorFlow graph is taken.
    """

    name: str
    reference: StorageRef
    origin: str
    golden_inputs: Path | None = None
    cut_inputs: tuple[str, ...] = ()
    cut_outputs: tuple[str, ...] = ()


def origin_of(task: Task, sources: Sources) -> str:
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


def asked_models(served: AskedModel, task: Task, layout: str, values: Mapping[str, Any]) -> tuple[AskedModel, ...]:
    """The served model and those of --add-model, each with its own options; UsageError for what cannot be."""
    needed = task.graphs.names[1:] if task.graphs else ()
    models = {served.name: served}
    for text in values.get("add_model", ()):
        name, equals, file = text.partition("=")
        if not equals or not file:
            raise UsageError(f"--add-model is {text!r}; write NAME=FILE, such as text_recognition=./str.onnx")
        if layout != "direct" and name not in needed:
            wanted = f"this task takes {', '.join(needed)}" if needed else "choose --task onnx or logits"
            raise UsageError(
                f"--add-model {text}: a model can stand beside one that is served by itself, not beside an {layout}; "
                f"{wanted}"
            )
        names.check_added_name(name)
        if name in models:
            raise UsageError(f"--add-model {name!r} names two models of one repository; choose another name")
        models[name] = AskedModel(name=name, reference=parse_reference(file), origin="graph")
    for name in needed:
        if name not in models:
            raise UsageError(f"--task {task.name} needs a second graph: give it with --add-model {name}=FILE")
    _give_golden_inputs(models, served, values.get("golden_inputs", ()))
    for option in ("inputs", "outputs"):
        _give_ends(models, served, option, values.get(option, ()))
    return tuple(_complete(model) for model in models.values())


def _give_golden_inputs(models: dict[str, AskedModel], served: AskedModel, given: Sequence[str]) -> None:
    for text in given:
        name, equals, file = text.partition("=")
        name, file = (name, file) if equals and name in models else (served.name, text)
        if models[name].origin != "graph" or models[name].golden_inputs:
            reason = "has some already" if models[name].golden_inputs else "is no ready graph: its task has its own"
            raise UsageError(f"--golden-inputs {text!r}: the model {name!r} {reason}")
        models[name] = replace(models[name], golden_inputs=Path(file).expanduser())


def _give_ends(models: dict[str, AskedModel], served: AskedModel, option: str, given: Sequence[str]) -> None:
    """Where a frozen graph begins or ends: [NAME=]TENSOR,TENSOR ..."""
    for text in given:
        name, equals, listed = text.partition("=")
        name, listed = (name, listed) if equals and name in models else (served.name, text)
        tensors = tuple(listed.split(","))
        model = models[name]
        former = model.cut_inputs if option == "inputs" else model.cut_outputs
        if not is_frozen(model.reference) or former or not all(tensors):
            raise UsageError(
                f"--{option} {text!r}: name, once for each frozen graph (.pb), its tensors joined by commas, such as "
                "input_images:0; other models say themselves what they take and give"
            )
        cut = replace(model, cut_inputs=tensors) if option == "inputs" else replace(model, cut_outputs=tensors)
        models[name] = cut


def _complete(model: AskedModel) -> AskedModel:
    for option, tensors in (("inputs", model.cut_inputs), ("outputs", model.cut_outputs)):
        if is_frozen(model.reference) and not tensors:
            raise UsageError(
                f"{str(model.reference)!r} is a frozen graph, which does not say where it begins and ends: name its "
                f"tensors with --{option}, such as input_images:0"
            )
    return model
