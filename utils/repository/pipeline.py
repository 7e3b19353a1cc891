"""Stage 5: the plan of a model repository, which context.json passes to the later stages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.repository.tensors import TensorSpec


@dataclass(frozen=True, kw_only=True)
class Graph:
    """An exported model on disk, with its external data in the same folder, and its tensors without batch dimension.

    `format` is a row of targets/formats.py: the component that serves the graph and its file name there. `batched` is
    False for a graph without a batch dimension; its dims are complete shapes.
    """

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    external_files: tuple[str, ...] = ()
    format: str = "onnx"
    batched: bool = True


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """An execution accelerator of Triton's ONNX Runtime backend: its name and parameters in config.pbtxt.

    `warm_up`: numbers of tokens. The server runs one batch of each before it is ready.
    """

    name: str
    parameters: Mapping[str, str]
    warm_up: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One Triton model of the repository, made from one component folder.

    `max_batch_size` 0: dims are complete shapes. `gpus` are the devices, () for all. `requirements` are requirements
    files of the component folder, which need not exist. `files` ({name in the version folder: path}) are copied;
    `documents` ({name: JSON value}) are written. `stands_for` maps the name of a tensor to its name in the ensemble, if
    they differ. `version` is the version of these files; `earlier` ({version: files}) are those of earlier builds.
    `version_policy` has the form of config.pbtxt. `threads` (0: the runtime's default), `instances` (0: chosen at the
    server's start) and `batch_delay` (in microseconds; None: no dynamic batching) apply to a step that runs a graph:
    see utils/targets/tuning.py.
    `accelerator` runs the graph in place of the backend's own kernels; None: these.
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
    accelerator: Accelerator | None = None


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The served model, its inputs and outputs, and its steps in order.

    In the layout "ensemble" the served model is the ensemble of the steps; in the others it is the first step.
    """

    model_name: str
    max_batch_size: int
    layout: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    steps: tuple[Step, ...]

    @property
    def builds_engines(self) -> bool:
        """Whether a step has an accelerator, which a server builds engines for while it starts."""
        return any(step.accelerator for step in self.steps)


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """The values from which the steps are made (see steps.py and the task's row).

    `inputs` and `outputs` are the served API. `graphs` are the exported models by the name of their step. `settings`
    are the resolved settings of the task. `engine` and `precision` are names in targets/engines.py and
    targets/precisions.py, `release` is that of Triton, `pads_to_buckets` comes from targets/runtimes.py. `step_names`
    ({component: model name}) are set by the user. `files` are what the steps need of the model beside its graph, ()
    while a build is only planned.
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
    release: str = ""
    pads_to_buckets: bool = False
    gpus: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    tokenizer_file: Path | None = None
    tokenization: Mapping[str, Any] = field(default_factory=dict)
    step_names: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    @property
    def graph(self) -> Graph:
        """The first graph, for tasks that have only one."""
        return next(iter(self.graphs.values()))

    def name_of(self, component: str) -> str:
        """The model name of a step."""
        return self.step_names.get(component, component)
