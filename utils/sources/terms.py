"""What a build asks of its sources, so that what cannot serve it is told as early as it can be told."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Terms:
    """`max_batch_size` texts share a batch; with `blank_label` the first label may be empty.

    The three permissions are the --allow- options of the same names. `accept_unknown`: settings in the files that
    may go unread. `sentences`: the task follows the files of sentence-transformers, too.
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
