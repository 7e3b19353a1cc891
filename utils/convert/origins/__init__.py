"""What MODEL can be: one row each, one module each. A task's row says which of them it starts from.

The modules import what they need where they use it: arguments are checked before any package is installed.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from utils.sources.storage import StorageRef

if TYPE_CHECKING:
    from utils.convert.origins.origin import InspectModel, Origin
    from utils.options.build_spec import BuildSpec

NONE = "-"
FROZEN_SUFFIX = ".pb"
GRAPH_SUFFIXES = (".onnx", FROZEN_SUFFIX)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`module` has the function `look`; `takes` tells from MODEL, and whether there is a TOKENIZER."""

    module: str
    needs_tokenizer: bool
    takes: Callable[[StorageRef, bool], bool]


def is_graph_file(reference: StorageRef) -> bool:
    """Does a reference name a ready graph, by its ending?"""
    return PurePosixPath(reference.locator).suffix.lower() in GRAPH_SUFFIXES


def is_frozen(reference: StorageRef) -> bool:
    """Is it one of TensorFlow's, to be converted first?"""
    return PurePosixPath(reference.locator).suffix.lower() == FROZEN_SUFFIX


ORIGINS = {
    "graph": Row(
        module="utils.convert.origins.graph_file",
        needs_tokenizer=False,
        takes=lambda model, has_tokenizer: is_graph_file(model) or not has_tokenizer,
    ),
    "transformers": Row(
        module="utils.convert.origins.transformers_folder",
        needs_tokenizer=True,
        takes=lambda model, _: not is_graph_file(model),
    ),
}


def find_origin(possible: tuple[str, ...], model: StorageRef, *, has_tokenizer: bool) -> str | None:
    """The first of a task's origins that MODEL and TOKENIZER are; its only one may be told by nothing but the task."""
    fitting = [name for name in possible if ORIGINS[name].takes(model, has_tokenizer)]
    if possible == ("graph",) and not fitting:
        return "graph"  # a folder with a graph in it
    return fitting[0] if fitting else None


def inspect_models(spec: "BuildSpec", folder: Path) -> dict[str, "Origin"]:
    """Every model of the build, looked at, the served one first; {model name: origin}.

    Those on this disk are looked at first: a mistake in one is told before any server is waited for.
    """
    found: dict[str, Origin] = {}
    for model in sorted(spec.models, key=lambda model: model.reference.scheme != "local"):
        inspect_model = cast("InspectModel", importlib.import_module(ORIGINS[model.origin].module).inspect_model)
        found[model.name] = inspect_model(spec, model, folder / model.name)
    origins = {model.name: found[model.name] for model in spec.models}
    if spec.task.graphs:
        labels = origins[spec.task.graphs.names[0]].known.labels
        assert labels  # such a task has some
        outputs = spec.names.of_outputs(spec.task.outputs({}, next(iter(origins.values())).predict()))
        served = [tensor.name for tensor in (*spec.names.of_inputs(spec.task.inputs), *outputs)]
        spec.names.require_unique(served, spec.task.graphs.between)
        spec.task.graphs.check({name: origin.predict() for name, origin in origins.items()}, labels)
    return origins
