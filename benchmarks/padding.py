"""How much of what is computed is padding: `python -m benchmarks.padding VERSION_FOLDER` prints it as JSON.

{kind of texts: {way of batching: share of the computed tokens}}, from the lengths of the benchmark's own texts.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.asking import FIXED_LENGTH
from benchmarks.texts import LENGTHS, make_texts
from utils.repository.served_code import load_shared

WAITING = 32  # requests that wait together: those of 32 clients

Batches = Sequence[Sequence[int]]  # lengths, in tokens
Batching = Callable[[Sequence[int], int], tuple[Batches, int]]  # lengths, budget -> batches, least padded length


def alone(lengths: Sequence[int], _budget: int) -> tuple[Batches, int]:
    """Each text by itself."""
    return [[length] for length in lengths], 0


def arrived(lengths: Sequence[int], _budget: int) -> tuple[Batches, int]:
    """Those that wait together are one batch."""
    return _windows(lengths), 0


def sorted_by_length(lengths: Sequence[int], budget: int) -> tuple[Batches, int]:
    """Those that wait together are sorted and cut by the token budget, as the fused layout does it."""
    cut = load_shared("length_batches").length_batches
    return [[window[place] for place in batch] for window in _windows(lengths) for batch in cut(window, budget)], 0


def fixed(lengths: Sequence[int], _budget: int) -> tuple[Batches, int]:
    """Every text as long as the longest one is allowed to be."""
    return [[min(length, FIXED_LENGTH)] for length in lengths], FIXED_LENGTH


def _windows(lengths: Sequence[int]) -> Batches:
    return [lengths[start : start + WAITING] for start in range(0, len(lengths), WAITING)]


WAYS: dict[str, Batching] = {
    "each text alone": alone,
    "sorted by length, token budget (fused)": sorted_by_length,
    "as they arrive, to the longest": arrived,
    f"fixed {FIXED_LENGTH}": fixed,
}


def waste(batches: Batches, least: int = 0) -> float:
    """The share of padding among all tokens computed."""
    computed = sum(len(batch) * max(least, *batch) for batch in batches)
    return 1 - sum(map(sum, batches)) / computed


def shares(folder: Path) -> dict[str, dict[str, float]]:
    """Of a fused version folder: its tokenizer, its budget."""
    tokenization, settings = load_shared("tokenization"), json.loads((folder / "settings.json").read_text())
    tokenizer = tokenization.load_tokenizer(folder / "tokenizer.json", settings, padded=False)
    found = {}
    for kind in LENGTHS:
        lengths = [len(each.ids) for each in tokenization.tokenize(tokenizer, make_texts(kind))]
        found[kind] = {name: waste(*way(lengths, settings["token_budget"])) for name, way in WAYS.items()}
    return found


if __name__ == "__main__":
    print(json.dumps(shares(Path(sys.argv[1]))))
