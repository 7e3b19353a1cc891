"""How well a model's answers to --eval-file agree with the right ones: evaluation.json of a build tree."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from utils.evaluation.eval_file import EvalFile
from utils.evaluation.kind import Answer, Confusion, EvalRow, Kind, LabelFigures, Measured, Metrics
from utils.host import json_values

EVALUATION_FILE = "evaluation.json"
FORMAT = 1
WORST_ROWS, SHOWN_CHARACTERS, SHOWN_LABELS = 50, 300, 200
BINS = 10
# The last token of each bin of lengths; the last bin has no end.
LENGTHS = (16, 32, 64, 128, 256, 512)
# What is longer counts as so long: tokenizing a book takes seconds.
MOST_CHARACTERS = 100_000
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """`answers` whose mean score is `score`, of which the share `right` is right."""

    score: float
    right: float
    answers: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Scores as probabilities that the answer is right. `error`: expected calibration error; `brier`: Brier score."""

    bins: tuple[CalibrationBin, ...]
    error: float
    brier: float


@dataclass(frozen=True, kw_only=True)
class LengthBin:
    """Rows of `least` to `most` tokens (None: no end) and their headline metric."""

    least: int
    most: int | None
    rows: int
    value: float | None


@dataclass(frozen=True, kw_only=True)
class WorstRow:
    """A row whose answer is far from right. `texts` are cut to SHOWN_CHARACTERS."""

    line: int
    texts: tuple[str, ...]
    right: Answer
    given: Answer
    loss: float


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """`before`: metrics of PyTorch; `after`: of the served model, None until it is asked.

    The other figures are of the answers `of`: BEFORE or AFTER. kind: a row of kinds.py; digest: of the file.
    """

    task: str
    kind: str
    file: str
    digest: str
    rows: int
    headline: str
    before: Metrics
    after: Metrics | None
    of: str
    by_length: tuple[LengthBin, ...]
    worst: tuple[WorstRow, ...]
    by_label: tuple[LabelFigures, ...] = ()
    confusion: Confusion | None = None
    calibration: Calibration | None = None

    @property
    def sentence(self) -> str:
        """The metrics, for the progress of a build."""
        name, metrics = ("PyTorch", self.before) if self.after is None else ("served model", self.after)
        figures = ", ".join(f"{key} {_shown(value)}" for key, value in metrics.items())
        was = "" if self.after is None else f" ({self.headline} before: {_shown(self.before[self.headline])})"
        return f"{name} on {self.rows} rows of --eval-file: {figures}{was}"


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"


def evaluate(
    task: str, source: EvalFile, answers: Sequence[Answer], lengths: Sequence[int], *, before: Metrics | None = None
) -> Evaluation:
    """The evaluation of PyTorch's answers, or with its metrics `before` of the served ones.

    answers: one for each row of `source`; lengths: tokens of each row.
    """
    rows, kind = source.rows(), source.kind
    measured = kind.measure(rows, answers)
    return Evaluation(
        task=task,
        kind=kind.name,
        file=source.file.name,
        digest=source.digest,
        rows=len(rows),
        headline=kind.headline,
        before=measured.metrics if before is None else before,
        after=None if before is None else measured.metrics,
        of=BEFORE if before is None else AFTER,
        by_length=_by_length(kind, rows, answers, lengths),
        worst=_worst(rows, answers, measured),
        by_label=tuple(sorted(measured.by_label, key=lambda each: -each.support)[:SHOWN_LABELS]),
        confusion=measured.confusion,
        calibration=_calibration(measured.confidences) if measured.confidences else None,
    )


def _worst(rows: Sequence[EvalRow], answers: Sequence[Answer], measured: Measured) -> tuple[WorstRow, ...]:
    """The rows of the highest losses; none that is right."""
    order = sorted(range(len(rows)), key=lambda place: -measured.losses[place])[:WORST_ROWS]
    return tuple(
        WorstRow(
            line=rows[place].line,
            texts=tuple(text[:SHOWN_CHARACTERS] for text in rows[place].texts),
            right=_cut(rows[place].right),
            given=_cut(answers[place]),
            loss=measured.losses[place],
        )
        for place in order
        if measured.losses[place] > 0
    )


def _cut(answer: Answer) -> Answer:
    texts = tuple(text[:SHOWN_CHARACTERS] for text in answer.texts[:WORST_ROWS])
    return replace(answer, texts=texts, scores=answer.scores[:WORST_ROWS], spans=answer.spans[:WORST_ROWS])


def _calibration(confidences: Sequence[tuple[float, bool]]) -> Calibration:
    """By scikit-learn, in BINS bins of equal width; empty bins are left out."""
    import numpy as np
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss

    scores = np.clip([score for score, _ in confidences], 0, 1)
    right = np.array([int(is_right) for _, is_right in confidences])
    shares, means = calibration_curve(right, scores, n_bins=BINS, pos_label=1)
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], scores))  # the bins of calibration_curve
    counts = counts[counts > 0]
    return Calibration(
        bins=tuple(
            CalibrationBin(score=float(mean), right=float(share), answers=int(count))
            for mean, share, count in zip(means, shares, counts, strict=True)
        ),
        error=float((counts * np.abs(shares - means)).sum() / len(scores)),
        brier=float(brier_score_loss(right, scores, labels=[0, 1], pos_label=1)),
    )


def _by_length(
    kind: Kind, rows: Sequence[EvalRow], answers: Sequence[Answer], lengths: Sequence[int]
) -> tuple[LengthBin, ...]:
    """The headline metric of the rows in each bin that has some."""
    bins, least = [], 0
    for most in (*LENGTHS, None):
        places = [place for place, size in enumerate(lengths) if least <= size <= (math.inf if most is None else most)]
        if places:
            part = kind.measure([rows[place] for place in places], [answers[place] for place in places])
            bins.append(LengthBin(least=least, most=most, rows=len(places), value=part.metrics[kind.headline]))
        least = (most or 0) + 1
    return tuple(bins)


def write_evaluation(evaluation: Evaluation, tree: Path) -> None:
    """Writes `tree`/evaluation.json."""
    content = {"format": FORMAT, **json_values.converter().unstructure(evaluation)}
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    (tree / EVALUATION_FILE).write_text(text + "\n", encoding="utf-8")


def read_evaluation(tree: Path) -> Evaluation | None:
    """That of a build tree; None for a build without --eval-file."""
    file = tree / EVALUATION_FILE
    if not file.is_file():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    content.pop("format")
    return json_values.converter().structure(content, Evaluation)


def token_counts(tokenizer_file: Path, rows: Sequence[EvalRow]) -> list[int]:
    """The tokens of each row's texts together, special tokens included, even where the model truncates them."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [len(tokenizer.encode(*(text[:MOST_CHARACTERS] for text in row.texts)).ids) for row in rows]
