"""What an origin offers: what kind of thing MODEL is, and how it becomes a served graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from utils.convert.task import Task
from utils.convert.types import ServedGraph, Settings
from utils.repository.pipeline import Graph
from utils.repository.serving import Serving
from utils.sources.labels import Labels
from utils.sources.requirements import Sources
from utils.sources.storage import StorageRef
from utils.targets.target import Target

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, kw_only=True)
class Models(Generic[T]):
    """One value for each model of a repository: the served one, and those that --add-model puts beside it, by name."""

    name: str
    served: T
    added: Mapping[str, T] = field(default_factory=dict)

    @property
    def by_name(self) -> dict[str, T]:
        """All of them, the served one first."""
        return {self.name: self.served, **self.added}

    def each(self, function: Callable[[str, T], U]) -> "Models[U]":
        """What `function` gives for each name and value."""
        added = {name: function(name, value) for name, value in self.added.items()}
        return Models(name=self.name, served=function(self.name, self.served), added=added)


@dataclass(frozen=True, kw_only=True)
class RequestedModel:
    """One model of the repository: what kind of thing it is (a row of ORIGINS) and where it comes from.

    `inputs` and `outputs` name the tensors between which a frozen TensorFlow graph is taken.
    """

    reference: StorageRef
    origin: str
    golden_inputs: Path | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a build is made from, and which task it is for; `options` are the values of the task's own options."""

    sources: Sources
    models: Models[RequestedModel]
    task: Task
    options: Settings = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """The part of a build that its origins read. `use_cache` False: convert anew."""

    source: Source
    target: Target
    serving: Serving
    use_cache: bool = True


class Known(Protocol):
    """What is known of a model before anything slow runs."""

    @property
    def revisions(self) -> Mapping[str, str]:
        """{"model" | "tokenizer" | "labels" | "adapter" | "base": revision}."""

    @property
    def references(self) -> Mapping[str, StorageRef]:
        """Where the adapter or its base comes from: {"adapter" | "base": reference}; {} for a model without."""

    @property
    def labels(self) -> Labels | None:
        """None for a task without."""

    @property
    def label_texts(self) -> tuple[str, ...]:
        """() for a task without."""

    @property
    def licences(self) -> Mapping[str, str]:
        """{"model" | "tokenizer" | "adapter" | "base": licence}, where a model card states one."""

    @property
    def facts(self) -> Mapping[str, Mapping[str, Any]]:
        """What the report says of the model: {part: {name: value}}."""


class Origin(Protocol):
    """One model of a build, inspected: everything has been checked that can be without fetching what is large."""

    @property
    def known(self) -> Known:
        """What was found."""

    @property
    def settings(self) -> Settings:
        """The settings of the task's steps."""

    @property
    def weights(self) -> Path:
        """The folder, or the one file, where the weights lie if they are on this disk already."""

    def predict(self) -> Graph:
        """The tensors that `convert` will find, for --dry-run."""

    def fetch(self) -> Path | None:
        """The model, weights included: a folder or a file. None where a kept conversion makes them needless."""

    def convert(self, source: Path | None, destination: Path) -> ServedGraph:
        """Writes the graph to the folder `destination`, checked. Raises SourceError, ExportError or ParityError."""


# Inspects a model; what it fetches for that goes below the folder. Raises UsageError, SourceError or ExportError.
InspectModel = Callable[[Request, str, Path], Origin]
