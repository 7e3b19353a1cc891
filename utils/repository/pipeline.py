"""Stage 5: the plan of a model repository, written as context.json for the stages after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.repository.tensors import TensorSpec


@dataclass(frozen=True, kw_only=True)
class Graph:
    """An exported model on disk, its external data beside it, and its tensors (batch dimension left out).

    `format` is a row of targets/formats.py: the component that serves it and the name it has there. `batched` is False
    for a graph whose tensors have no batch dimension of their own: then dims are whole shapes.
    """

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    external_files: tuple[str, ...] = ()
    format: str = "onnx"
    batched: bool = True


@dataclass(frozen=True, kw_only=True)
class Step:
    """One Triton model of the repository, made from one component folder.

    `max_batch_size` 0: its dims are whole shapes. `gpus`: those it runs on, () for all of them. `requirements`: files
    of the component folder that say what it imports, where it has them. `files` ({name in the version folder: path})
    are copied; `documents` ({name: JSON value}) are written. `stands_for`: {name of a tensor: its name among the
    steps}, for those that are called otherwise there. `version` is what these become; `earlier` are versions of former
    builds that stay beside it, {version: files}. `version_policy` is what the config says of the versions to serve, in
    Triton's own form. `threads` (0: the runtime's own choice), `instances` and `batch_delay` (in microseconds; None: no
    two requests share a run) are of a step that runs a graph: see utils/targets/tuning.py.
    """

    model_name: str
    component: str
    max_batch_size: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    instance_kind: str = "KIND_CPU"
    gpus: tuple[int, ...] = ()
    threads: int = 0
    instances: int = 1
    batch_delay: int | None = 0
    requirements: tuple[str, ...] = ("requirements.txt",)
    files: Mapping[str, Path] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)
    stands_for: Mapping[str, str] = field(default_factory=dict)
    version: int = 1
    version_policy: str = ""
    earlier: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The served model, what it takes and gives, and its steps in order.

    In the layout "ensemble" the served model is one of its own over the steps; in any other it is the first step.
    """

    model_name: str
    max_batch_size: int
    layout: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What each step's own files are made of; a step takes what it needs (see steps.py and the task's row).

    `inputs` and `outputs` are the served API. `graphs` are the exported models by the name of their step. `settings`
    are the task's: what its row's `settle` gave. `engine` and `precision` are names in targets/engines.py and
    targets/precisions.py, `pads_to_buckets` is of targets/runtimes.py. `step_names`: {component: model name}, where the
    user gave one.
    """

    model_name: str
    max_batch_size: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    graphs: Mapping[str, Graph]
    graph_instance_kind: str
    settings: Mapping[str, Any]
    engine: str = "onnxruntime"
    precision: str = "fp32"
    pads_to_buckets: bool = False
    gpus: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    tokenizer_file: Path | None = None
    tokenization: Mapping[str, Any] = field(default_factory=dict)
    step_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def graph(self) -> Graph:
        """The only graph, or the first."""
        return next(iter(self.graphs.values()))

    def name_of(self, component: str) -> str:
        """The model name of a step."""
        return self.step_names.get(component, component)
