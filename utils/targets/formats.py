"""The forms an exported model can have in a model repository: one row each."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from utils.host.errors import UsageError
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec

if TYPE_CHECKING:
    from utils.convert.reference_model import ReferenceModel
    from utils.convert.task import Task
    from utils.targets.releases import Release

# Arrays by tensor name -> the graph's outputs, in order.
Session = Callable[[Mapping[str, Any]], Sequence[Any]]
INPUT_DTYPES = ("INT64", "INT32")


class Exporter(Protocol):
    """What the module of a format offers."""

    def export_graph(
        self,
        original: "ReferenceModel",
        destination: Path,
        *,
        task: "Task",
        release: "Release",
        type_ids: bool,
        input_dtype: str,
    ) -> Graph:
        """Writes the graph to `destination`, its integer inputs of `input_dtype`; ExportError (4).

        `type_ids`: token_type_ids change the original's answers.
        """

    def predict_graph(self, config: Any, *, task: "Task", head_size: int) -> Graph:
        """The tensors it will have, told from the config as transformers reads it."""

    def open_session(self, graph: Graph) -> Session:
        """The graph on the CPU, in the runtime it is meant for."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """`component` serves a graph of this form, which lies as `file` in its version folder.

    `exporter`: the module that writes and runs it. `positional`: its backend knows tensors by their place only.
    `stage`: the Dockerfile's base stage that has its backend, where the slim one has not. `layouts` have a step for it.
    """

    name: str
    component: str
    file: str
    exporter: str
    backend: str
    layouts: tuple[str, ...]
    positional: bool = False
    stage: str | None = None

    def open_exporter(self) -> Exporter:
        """Imports it; torch comes along."""
        return cast(Exporter, importlib.import_module(self.exporter))

    def served(self, word: str, tensors: Sequence[TensorSpec]) -> tuple[tuple[TensorSpec, ...], dict[str, str]]:
        """The tensors as the model config names them, and what each name stands for. `word`: "input" or "output".

        Source of <name>__<index>: Triton's pytorch_backend, README.md, on the names of inputs and outputs.
        """
        if not self.positional:
            return tuple(tensors), {}
        named = tuple(replace(tensor, name=f"{word}__{place}") for place, tensor in enumerate(tensors))
        return named, {new.name: usual.name for new, usual in zip(named, tensors, strict=True)}


FORMATS = {
    row.name: row
    for row in (
        Format(
            name="onnx",
            component="model_onnx",
            file="model.onnx",
            exporter="utils.convert.exporter",
            backend="onnxruntime",
            layouts=("ensemble", "direct", "fused"),
        ),
        Format(
            name="torchscript",
            component="model_torchscript",
            file="model.pt",
            exporter="utils.convert.torchscript",
            backend="pytorch",
            layouts=("ensemble", "direct"),
            positional=True,
            stage="full",
        ),
    )
}
DEFAULT_FORMAT = "onnx"


@dataclass(frozen=True, kw_only=True)
class GraphForm:
    """What a graph is to be: `sequence_length` None lets every batch be as long as its longest text."""

    format: str = DEFAULT_FORMAT
    sequence_length: int | None = None
    input_dtype: str = INPUT_DTYPES[0]

    def applied(self, graph: Graph) -> Graph:
        """`graph` with this form's types and dims on its inputs.

        Outputs stay as the graph has them: the ONNX Runtime backend loads no config that fixes an output's dimension
        which the graph leaves free, while it lets a config fix one of an input. Source: CompareDimsSupported in
        src/onnxruntime_utils.cc of onnxruntime_backend.
        """
        length = self.sequence_length or -1
        inputs = (_sized(replace(each, dtype=self.input_dtype), length) for each in graph.inputs)
        return replace(graph, inputs=tuple(inputs))


def _sized(tensor: TensorSpec, length: int) -> TensorSpec:
    return replace(tensor, dims=tuple(length if dim == -1 else dim for dim in tensor.dims))


def graph_form(format_name: str, sequence_length: int | None, input_dtype: str) -> GraphForm:
    """The form asked for; UsageError for a word that is not known."""
    for option, given, known in (("--format", format_name, FORMATS), ("--input-dtype", input_dtype, INPUT_DTYPES)):
        if given not in known:
            raise UsageError(f"{option} {given!r} is not known; choose one of: {', '.join(known)}")
    return GraphForm(format=format_name, sequence_length=sequence_length, input_dtype=input_dtype)
