"""What a kind of right answer is: how a line is read, and how answers are measured against it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from utils.evaluation.records import SUFFIXES, Record
from utils.proof.golden import TensorValue

# The tensors of an answer under the names of the task's row.
Tensors = Mapping[str, TensorValue]
# None: it is not defined for these rows, such as the correlation of equal numbers.
Metrics = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A right answer, or what is measured of a given one.

    texts: labels, types of entities, or the answering text (of a right one: all that are allowed). scores: one for each
    text, or numbers alone. spans: the characters [start, end) of each entity.
    """

    texts: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class EvalRow:
    """A line of the file: its requests (one; of a similarity two), and the right answer."""

    line: int
    examples: tuple[Mapping[str, Any], ...]
    right: Answer

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts of its requests."""
        return tuple(value for example in self.examples for value in example.values() if isinstance(value, str))


@dataclass(frozen=True, kw_only=True)
class LabelFigures:
    """Precision, recall and F1 of one label, and the number of right answers that have it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, kw_only=True)
class ConfusedPair:
    """How often `given` was answered where `right` is right."""

    right: str
    given: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """`counts`: rows are right labels, columns given ones; both are empty for many labels. `pairs`: most confused."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    pairs: tuple[ConfusedPair, ...]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Answers against right answers.

    losses: of each row, 0 where the answer is right; the rows with the highest are shown. confidences: the score of
    each answer given, and whether it is right; () where scores are no probabilities.
    """

    metrics: Metrics
    losses: tuple[float, ...]
    confidences: tuple[tuple[float, bool], ...] = ()
    by_label: tuple[LabelFigures, ...] = ()
    confusion: Confusion | None = None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A row of kinds.py.

    right: the column of the right answer. further: columns beside the inputs of the task. outputs: the answer's
    tensors, in the order of the task's. headline: the metric that is shown first, and by length. read: a line, given
    the names of the task's inputs and the labels. extract: an answer, from those to the row's requests.
    """

    name: str
    right: str
    outputs: tuple[str, ...]
    headline: str
    read: Callable[[Record, Sequence[str], Sequence[str]], EvalRow]
    extract: Callable[[Sequence[Tensors]], Answer]
    measure: Callable[[Sequence[EvalRow], Sequence[Answer]], Measured]
    further: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = SUFFIXES


def texts_of(record: Record, inputs: Sequence[str]) -> dict[str, str]:
    """The texts of a request."""
    return {name: record.text(name) for name in inputs}
