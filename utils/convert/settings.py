"""The settings of a task's steps, resolved before anything slow runs."""

from pathlib import Path

from utils.convert.origins.origin import Request
from utils.convert.task import ModelTask
from utils.convert.types import Settings
from utils.repository.pipeline import Graph
from utils.repository.served_code import load_shared
from utils.repository.tensors import TensorSpec
from utils.sources.fetch import Metadata


def resolve_settings(request: Request, task: ModelTask, known: Metadata) -> Settings:
    """The task's settings; UsageError or SourceError for what the model's config and labels do not allow."""
    settings = task.resolve_settings(known.config, known.label_texts, request.source.options)
    unknown = tuple(TensorSpec(name=name, dtype="FP32", dims=(-1, -1)) for name in task.graph_outputs)
    names = request.serving.names
    outputs = names.of_outputs(task.outputs(settings, Graph(path=Path(), inputs=(), outputs=unknown)))
    served = [tensor.name for tensor in (*names.of_inputs(task.inputs), *outputs)]
    names.require_unique(served, {*load_shared("tokenization").TENSORS, *task.graph_outputs})
    return settings
