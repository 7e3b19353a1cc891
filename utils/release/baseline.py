"""The shares of labels and scores that a model gave at build time, which alerts compare with what it gives later."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from pathlib import Path

from utils.proof.golden import GoldenAnswers, TensorValue
from utils.release import measured
from utils.repository.pipeline import Pipeline

BASELINE_FILE = "baseline.json"
GOLDEN, EVALUATED = "golden texts", "texts of --eval-file"
# A distance of shares that is worth a look, and the answers from which it is not an accident.
LIMIT = 0.2
LEAST_ANSWERS, ANSWERS_PER_LABEL = 500, 50

Share = tuple[str, float]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """`answers` of the texts of `source`, and their shares by key of metric_families.py.

    labels: the share of each label. scores: the share of the best scores up to each bound `le`.
    """

    source: str = GOLDEN
    answers: int = 0
    shares: Mapping[str, Sequence[Share]] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What the alerts and the dashboard say."""
        few = "; they are few and chosen for their oddity, build with --eval-file" if self.source == GOLDEN else ""
        return f"{self.answers} answers to {self.source}{few}"

    @property
    def limits(self) -> dict[str, float]:
        """The distance from which shares have drifted: LIMIT, and the mean distance of as many texts from their source.

        Labels: half the sum of the differences of shares, sqrt(2 K / (pi N)) / 2 at most. Scores: the largest
        difference, 0.87 / sqrt(N) (Kolmogorov's distribution has the mean sqrt(pi / 2) ln 2).
        """
        noise = {"labels": 0.4 * sqrt(len(self.shares.get("labels", ())) / max(1, self.answers))}
        noise["scores"] = 0.87 / sqrt(max(1, self.answers))
        return {key: round(LIMIT + each, 3) for key, each in noise.items()}

    @property
    def least_answers(self) -> int:
        """How many answers an alert needs."""
        return max(LEAST_ANSWERS, ANSWERS_PER_LABEL * len(self.shares.get("labels", ())))


def of_answers(pipeline: Pipeline, answers: Iterable[Mapping[str, TensorValue]], source: str) -> Baseline:
    """The shares of these answers; empty for a pipeline that counts neither labels nor scores."""
    families, values = measured.families(pipeline), measured.values(pipeline, answers)
    shares = {}
    for key, counted in values.items():
        series = zip(families[key].series, families[key].increments(counted), strict=True)
        named = [(own.get("label", own.get("le", "")), number) for (_, own), number in series]
        shares[key] = [(name, round(float(number) / len(counted), 6)) for name, number in named if name]
    return Baseline(source=source, answers=max(map(len, values.values()), default=0), shares=shares)


def of_golden(pipeline: Pipeline, golden: GoldenAnswers) -> Baseline:
    """The shares of the right answers to the golden requests of the served model."""
    answers = [row.outputs for row in golden.rows if row.model == pipeline.model_name]
    return of_answers(pipeline, answers, GOLDEN)


def write_baseline(baseline: Baseline, tree: Path) -> None:
    """Writes `tree`/baseline.json."""
    content = json.dumps(asdict(baseline), ensure_ascii=False, indent=2)
    (tree / BASELINE_FILE).write_text(content + "\n", encoding="utf-8")


def read_baseline(tree: Path) -> Baseline:
    """The baseline of a build tree; an empty one for a tree of an earlier version, which has none."""
    try:
        content = json.loads((tree / BASELINE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Baseline()
    shares = {key: [(name, share) for name, share in each] for key, each in content["shares"].items()}
    return Baseline(source=content["source"], answers=content["answers"], shares=shares)
