"""The modules that convert a model, one for each exporter, and that write and run a graph, one for each format."""

import importlib
from pathlib import Path
from typing import Any, Protocol, cast

from utils.convert.task import ConversionSpec, ModelTask
from utils.convert.types import Conversion, ReferenceModel, Session
from utils.repository.pipeline import Graph
from utils.sources.model_config import ModelConfig
from utils.targets.exporters import DYNAMO, OPTIMUM
from utils.targets.formats import GraphForm

# Exporter -> the module that converts with it, and the one that writes its ONNX graphs.
CONVERTERS = {OPTIMUM: "utils.convert.conversion", DYNAMO: "utils.convert.exporter_process"}
ONNX = {OPTIMUM: "utils.convert.exporter", DYNAMO: "utils.convert.exporter_dynamo"}
TORCHSCRIPT = "utils.convert.torchscript"
MODULES = {"onnx": ONNX, "torchscript": dict.fromkeys(ONNX, TORCHSCRIPT)}


class Converter(Protocol):
    """What the module of an exporter offers."""

    def convert(
        self, model_folder: Path, tokenizer_folder: Path, destination: Path, spec: ConversionSpec
    ) -> Conversion:
        """See conversion.py."""

    def predict(self, config: ModelConfig, task: ModelTask, form: GraphForm) -> Graph:
        """See conversion.py."""


class Exporter(Protocol):
    """What the module of a format offers."""

    def export_graph(
        self, reference: ReferenceModel, destination: Path, spec: ConversionSpec, *, type_ids: bool
    ) -> Graph:
        """Writes the graph to `destination`, its integer inputs of the type that `spec` names; ExportError (4).

        `type_ids`: token_type_ids change the reference model's answers.
        """

    def predict_graph(self, config: Any, *, task: ModelTask, head_size: int) -> Graph:
        """The tensors it will have, told from the config as transformers reads it."""

    def open_session(self, graph: Graph) -> Session:
        """The graph on the CPU, in the runtime it is meant for."""


def open_exporter(format_name: str, exporter: str = OPTIMUM) -> Exporter:
    """The module of a row of targets/formats.py; torch is imported with it. A session is the same for each exporter."""
    return cast(Exporter, importlib.import_module(MODULES[format_name][exporter]))


def open_converter(exporter: str) -> Converter:
    """The module that converts with an exporter."""
    return cast(Converter, importlib.import_module(CONVERTERS[exporter]))
