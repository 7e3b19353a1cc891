"""The models that a build is asked for: the served one, and those that stand beside it. Standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from utils import names
from utils.errors import UsageError
from utils.origins import NONE, ORIGINS, find_origin
from utils.storage import Sources, StorageRef, parse_reference
from utils.tasks import TASKS
from utils.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class AskedModel:
    """One model of the repository: what kind of thing it is (a row of utils/origins) and where it comes from."""

    name: str
    reference: StorageRef
    origin: str
    golden_inputs: Path | None = None


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
