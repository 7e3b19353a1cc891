"""What an origin offers: what kind of thing MODEL is, and how it becomes a served graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from utils.convert.task import Settings
from utils.proof.golden import GoldenAnswers
from utils.repository.pipeline import Graph, Pipeline
from utils.sources.labels import Labels

if TYPE_CHECKING:
    from utils.options.build_spec import BuildSpec
    from utils.options.models import RequestedModel


class Known(Protocol):
    """What is known of a model before anything slow runs. `facts` are for the plan: {its part: {name: value}}."""

    @property
    def revisions(self) -> Mapping[str, str]:
        """{"model" | "tokenizer" | "labels": revision}."""

    @property
    def labels(self) -> Labels | None:
        """None for a task without."""

    @property
    def label_texts(self) -> tuple[str, ...]:
        """() for a task without."""

    @property
    def facts(self) -> Mapping[str, Mapping[str, Any]]:
        """What a plan says of the model, by its part."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A graph on disk, and what it is asked and must answer once it is served.

    `golden` makes the golden answers from the plan of the repository and the name of the model in it. `tokenizer`:
    tokenizer_file and tokenization of the Ingredients, for a task that tokenizes.
    """

    graph: Graph
    golden: Callable[[Pipeline, str], GoldenAnswers]
    tokenizer: Mapping[str, Any] = field(default_factory=dict)


class Origin(Protocol):
    """One model of a build, looked at: everything has been checked that can be without fetching what is large."""

    @property
    def known(self) -> Known:
        """What was found."""

    @property
    def settings(self) -> Settings:
        """What the task's row settled on."""

    @property
    def weights(self) -> Path:
        """The folder, or the one file, where the weights lie if they are on this disk already."""

    def predict(self) -> Graph:
        """The tensors that `convert` will find, for --dry-run."""

    def fetch(self) -> Path:
        """The model, weights included: a folder or a file."""

    def convert(self, source: Path, destination: Path) -> Converted:
        """Writes the graph to the folder `destination`, checked. Raises SourceError, ExportError or ParityError."""


# Looks at a model; what it fetches for that goes below the folder. Raises UsageError, SourceError or ExportError.
InspectModel = Callable[["BuildSpec", "RequestedModel", Path], Origin]
