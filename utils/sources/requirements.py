"""The references of a build, and what it requires of the files behind them."""

from dataclasses import dataclass, field

from utils.sources.storage import StorageRef


@dataclass(frozen=True, kw_only=True)
class SourceRequirements:
    """`max_batch_size` texts share a batch; with `blank_label` the first label may be empty.

    The three permissions are the --allow- options of the same names. `accept_unknown`: settings in the files that
    need not be read. `sentences`: the task also follows the files of sentence-transformers. `exporter` None: the first
    that converts the model. `setfit`: MODEL may also be a SetFit folder.
    """

    export_task: str = "text-classification"
    max_batch_size: int = 1
    max_length: int | None = None
    takes_labels: bool = True
    blank_label: bool = False
    allow_pickle: bool = False
    allow_duplicate_labels: bool = False
    allow_placeholder_labels: bool = False
    accept_unknown: tuple[str, ...] = ()
    sentences: bool = False
    exporter: str | None = None
    setfit: bool = False


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The references of a build. `tokenizer` None: the model has none; `labels` None: those in the model's config.

    `adapter`: of a PEFT fine-tuning, for the base in `model`. `fetch_timeout`: seconds for each reference.
    """

    model: StorageRef
    tokenizer: StorageRef | None
    labels: StorageRef | None
    fetch_timeout: float
    adapter: StorageRef | None = None
    requirements: SourceRequirements = field(default_factory=SourceRequirements)
