"""The texts that are asked: made of the sample's sentences, with the spread of lengths that short messages have."""

import csv
import random
from pathlib import Path

from utils import ROOT

SENTENCES = ROOT / "examples/topics/sentences.tsv"
# name -> (log-normal mean and deviation of the number of words, fewest, most). "mixed": mean 26, p95 60 tokens.
LENGTHS = {
    "short": (1.8, 0.3, 3, 12),
    "mixed": (2.85, 0.65, 2, 120),
    "long": (4.6, 0.3, 60, 200),
}


def calibration_texts() -> list[str]:
    """Other texts than those of the measurements."""
    return make_texts("mixed", count=200, seed=7)


def write_calibration(folder: Path) -> Path:
    """A --calibration-file."""
    file = folder / "calibration.tsv"
    file.write_text("\n".join(calibration_texts()) + "\n", encoding="utf-8")
    return file


def make_texts(kind: str, count: int = 2000, seed: int = 1) -> list[str]:
    """`count` texts of a kind of LENGTHS; the same for the same seed."""
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        words = " ".join(row[-1] for row in csv.reader(file, delimiter="\t")).split()
    mean, deviation, fewest, most = LENGTHS[kind]
    chance = random.Random(seed)
    texts = []
    for _ in range(count):
        length = max(fewest, min(most, int(chance.lognormvariate(mean, deviation))))
        start = chance.randrange(len(words))
        texts.append(" ".join((words * 3)[start : start + length]))
    return texts
