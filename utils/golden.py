"""Golden answers: what the PyTorch model says to each golden text, kept beside the model repository."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from utils.context import GOLDEN_FILE
from utils.errors import BootProofError

# Scores of a server may differ from PyTorch's by this: measured differences of FP32 graphs are below 1e-5.
SCORE_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class GoldenAnswers:
    """For each text the scores of all labels, in the head's order: `scores` is [texts][labels]."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...]
    top_k: int
    tolerance: float = SCORE_TOLERANCE


def write_golden(golden: GoldenAnswers, folder: Path) -> Path:
    """Writes `folder`/golden.json."""
    path = folder / GOLDEN_FILE
    path.write_text(json.dumps(asdict(golden), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def read_golden(path: Path) -> GoldenAnswers:
    """The answers in a golden.json; BootProofError when there are none: losing the file does not skip the proof."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(tuple(float(score) for score in row) for row in content["scores"])
        golden = GoldenAnswers(
            **{**content, "texts": tuple(content["texts"]), "labels": tuple(content["labels"]), "scores": rows}
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BootProofError(f"golden answers {str(path)!r} cannot be read ({error!r}); build the tree anew") from error
    if not _can_prove(golden):
        raise BootProofError(
            f"golden answers {str(path)!r} prove nothing: {len(golden.texts)} texts, {len(golden.scores)} answers, "
            f"{len(golden.labels)} labels, top_k {golden.top_k!r}, tolerance {golden.tolerance!r}; build the tree anew"
        )
    return golden


def _can_prove(golden: GoldenAnswers) -> bool:
    """A score for every label of every text, and numbers an answer can be held against."""
    return (
        0 < len(golden.texts) == len(golden.scores)
        and all(len(row) == len(golden.labels) for row in golden.scores)
        and isinstance(golden.top_k, int)
        and 1 <= golden.top_k <= len(golden.labels)
        and isinstance(golden.tolerance, float)
        and 0 < golden.tolerance < 1
    )
