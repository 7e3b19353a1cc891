"""The kinds of MODEL: one row and one module each. A task's row lists the kinds it accepts.

The modules import what they need where they use it: arguments are checked before any package is installed.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from utils.convert.task import GraphPipeline, pipeline_of
from utils.sources.storage import StorageRef

if TYPE_CHECKING:
    from utils.convert.origins.origin import InspectModel, Models, Origin, Request

NONE = "-"
FROZEN_SUFFIX = ".pb"
GRAPH_SUFFIXES = (".onnx", FROZEN_SUFFIX)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`module` has the function `inspect_model`; `takes(MODEL, has TOKENIZER)`: whether MODEL is of this kind."""

    module: str
    needs_tokenizer: bool
    takes: Callable[[StorageRef, bool], bool]


def is_graph_file(reference: StorageRef) -> bool:
    """Whether a reference names a ready graph, by its suffix."""
    return reference.suffix in GRAPH_SUFFIXES


def is_frozen(reference: StorageRef) -> bool:
    """Whether it is a frozen TensorFlow graph, which is converted first."""
    return reference.suffix == FROZEN_SUFFIX


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
    """The first of a task's origins that MODEL and TOKENIZER fit; a task for graphs only accepts a folder, too."""
    fitting = [name for name in possible if ORIGINS[name].takes(model, has_tokenizer)]
    if possible == ("graph",) and not fitting:
        return "graph"  # a folder with a graph in it
    return fitting[0] if fitting else None


def inspect_models(request: "Request", folder: Path) -> "Models[Origin]":
    """Every model of the build, inspected.

    Those on this disk are inspected first: a mistake in one is reported before any server is waited for.
    """
    requested = request.source.models
    found: dict[str, Origin] = {}
    for name, model in sorted(requested.by_name.items(), key=lambda each: each[1].reference.scheme != "local"):
        inspect_model = cast("InspectModel", importlib.import_module(ORIGINS[model.origin].module).inspect_model)
        found[name] = inspect_model(request, name, folder / name)
    origins = requested.each(lambda name, _: found[name])
    if pipeline := pipeline_of(request.source.task):
        _check_pipeline(request, pipeline, origins)
    return origins


def _check_pipeline(request: "Request", pipeline: GraphPipeline, origins: "Models[Origin]") -> None:
    """UsageError, SourceError or ExportError for names, labels or graphs that the steps around them cannot use."""
    task, names = request.source.task, request.serving.names
    labels = origins.served.known.labels
    assert labels  # such a task has some
    graphs = {name: origin.predict() for name, origin in origins.by_name.items()}
    outputs = names.of_outputs(task.outputs({}, next(iter(graphs.values()))))
    names.require_unique([tensor.name for tensor in (*names.of_inputs(task.inputs), *outputs)], pipeline.between)
    pipeline.check(graphs, labels)
