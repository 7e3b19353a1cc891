"""The modules that write and run a graph of each format: one row each."""

import importlib
from pathlib import Path
from typing import Any, Protocol, cast

from utils.convert.task import ModelTask
from utils.convert.types import ReferenceModel, Session
from utils.repository.pipeline import Graph
from utils.targets.releases import Release

MODULES = {"onnx": "utils.convert.exporter", "torchscript": "utils.convert.torchscript"}


class Exporter(Protocol):
    """What the module of a format offers."""

    def export_graph(
        self,
        reference: ReferenceModel,
        destination: Path,
        *,
        task: ModelTask,
        release: Release,
        type_ids: bool,
        input_dtype: str,
    ) -> Graph:
        """Writes the graph to `destination`, its integer inputs of `input_dtype`; ExportError (4).

        `type_ids`: token_type_ids change the reference model's answers.
        """

    def predict_graph(self, config: Any, *, task: ModelTask, head_size: int) -> Graph:
        """The tensors it will have, told from the config as transformers reads it."""

    def open_session(self, graph: Graph) -> Session:
        """The graph on the CPU, in the runtime it is meant for."""


def open_exporter(format_name: str) -> Exporter:
    """The module of a row of targets/formats.py; torch is imported with it."""
    return cast(Exporter, importlib.import_module(MODULES[format_name]))
