"""The table of kinds of right answers. A task's row names its own."""

from dataclasses import replace
from functools import partial

from utils.evaluation import labels
from utils.evaluation.answers import ANSWERS
from utils.evaluation.entities import ENTITIES
from utils.evaluation.kind import Kind
from utils.evaluation.numbers import ORDER, SIMILARITY, VALUE

ROWS: tuple[Kind, ...] = (
    labels.LABEL,
    replace(labels.LABEL, name="raw-label", measure=partial(labels.measure_label, calibrated=False)),
    labels.LABELS,
    # Zero-shot: the labels are those of the line.
    replace(labels.LABEL, name="candidate", read=partial(labels.read_candidates, is_multi_label=False)),
    replace(labels.LABELS, name="candidates", read=labels.read_candidates),
    ENTITIES,
    ORDER,
    VALUE,
    SIMILARITY,
    ANSWERS,
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in ROWS}
