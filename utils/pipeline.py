"""Stage 5: the plan of a model repository, written as context.json for the stages after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from utils.tensors import TensorSpec

GRAPH_FILE = "model.onnx"


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """An ONNX graph on disk, its external data beside it, and its tensors (batch dimension left out)."""

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    external_files: tuple[str, ...] = ()

    @property
    def files(self) -> dict[str, Path]:
        """{name in the version folder: file} of the graph and its external data."""
        names = {name: self.path.parent / name for name in self.external_files}
        return {GRAPH_FILE: self.path, **names}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One Triton model of the repository, made from one component folder.

    `files` ({name in the version folder: path}) are copied; `documents` ({name: JSON value}) are written.
    """

    model_name: str
    component: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    instance_kind: str = "KIND_CPU"
    files: Mapping[str, Path] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The served model, what it takes and gives, and its steps in order."""

    model_name: str
    max_batch_size: int
    layout: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What each step's own files are made of; a component takes what it needs (see COMPONENTS)."""

    graph: OnnxModel
    graph_instance_kind: str
    tokenizer_file: Path
    tokenization: Mapping[str, Any]
    labels: tuple[str, ...]
    score_function: str
    top_k: int


def with_answers_of(tensors: tuple[TensorSpec, ...], k: int) -> tuple[TensorSpec, ...]:
    """The task's outputs with K filled in."""
    return tuple(replace(tensor, dims=tuple(k if dim == -1 else dim for dim in tensor.dims)) for tensor in tensors)
