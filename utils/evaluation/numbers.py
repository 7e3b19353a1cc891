"""Numbers: a score for each text or pair. Rank correlation; of a regression, the error too."""

import math
from collections.abc import Sequence

from utils.evaluation.kind import Answer, EvalRow, Kind, Measured, Metrics, Tensors, texts_of
from utils.evaluation.records import Record

SCORE = "score"
# A correlation of fewer rows says nothing.
FEWEST_ROWS = 3


def read(record: Record, inputs: Sequence[str], _: Sequence[str]) -> EvalRow:
    """Texts and a number."""
    right = Answer(scores=(record.number(SCORE),))
    return EvalRow(line=record.line, examples=(texts_of(record, inputs),), right=right)


def read_two(record: Record, inputs: Sequence[str], _: Sequence[str]) -> EvalRow:
    """Two texts, each a request of its own, and how similar they are, on any scale."""
    (name,) = inputs
    examples = tuple({name: record.text(column)} for column in (name, "text_pair"))
    return EvalRow(line=record.line, examples=examples, right=Answer(scores=(record.number(SCORE),)))


def value(answers: Sequence[Tensors]) -> Answer:
    """The only number of an answer."""
    (number,) = answers[0]["scores"].data
    return Answer(scores=(float(number),))


def cosine(answers: Sequence[Tensors]) -> Answer:
    """The cosine of two embeddings; 0 for one without a direction."""
    import numpy as np

    one, other = (np.asarray(answer["embedding"].data, dtype=np.float64) for answer in answers)
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return Answer(scores=(float(one @ other) / length if length else 0.0,))


def measure_order(rows: Sequence[EvalRow], answers: Sequence[Answer]) -> Measured:
    """Correlations. The loss of a row is the difference of its two ranks, as a share of all."""
    import numpy as np
    from scipy.stats import rankdata

    right, predicted = _numbers(rows, answers)
    differences = np.abs(rankdata(right) - rankdata(predicted)) / max(1, len(rows) - 1)
    return Measured(metrics=_correlations(right, predicted), losses=tuple(differences.tolist()))


def measure_values(rows: Sequence[EvalRow], answers: Sequence[Answer]) -> Measured:
    """Correlations and errors. The loss of a row is its absolute error."""
    import numpy as np
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    right, predicted = _numbers(rows, answers)
    errors = {
        "mean_absolute_error": float(mean_absolute_error(right, predicted)),
        "root_mean_squared_error": float(root_mean_squared_error(right, predicted)),
    }
    losses = np.abs(np.subtract(right, predicted)).tolist()
    return Measured(metrics={**_correlations(right, predicted), **errors}, losses=tuple(losses))


def _numbers(rows: Sequence[EvalRow], answers: Sequence[Answer]) -> tuple[list[float], list[float]]:
    return [row.right.scores[0] for row in rows], [answer.scores[0] for answer in answers]


def _correlations(right: list[float], predicted: list[float]) -> Metrics:
    """None where they are not defined: all numbers are equal, or there are too few."""
    from scipy.stats import pearsonr, spearmanr

    if len(right) < FEWEST_ROWS or len({*right}) == 1 or len({*predicted}) == 1:
        return dict.fromkeys(("spearman", "pearson"))
    found = {"spearman": float(spearmanr(right, predicted)[0]), "pearson": float(pearsonr(right, predicted)[0])}
    return {name: number if math.isfinite(number) else None for name, number in found.items()}


ORDER = Kind(
    name="score",
    right=SCORE,
    outputs=("scores",),
    headline="spearman",
    read=read,
    extract=value,
    measure=measure_order,
)
VALUE = Kind(
    name="value",
    right=SCORE,
    outputs=("predicts", "scores"),
    headline="spearman",
    read=read,
    extract=value,
    measure=measure_values,
)
SIMILARITY = Kind(
    name="similarity",
    right=SCORE,
    further=("text_pair",),
    outputs=("embedding",),
    headline="spearman",
    read=read_two,
    extract=cosine,
    measure=measure_order,
)
