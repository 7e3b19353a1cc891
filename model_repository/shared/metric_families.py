"""The families of metrics of a model: their names and series, and what counted values add to each (docs/observe.md).

A histogram is three families of counters (_bucket, _sum, _count), which Prometheus reads like any other histogram:
Triton's own take one call per value, and older releases have none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

PREFIX = "triton_factory_"
# Further labels of a model are counted together, as OTHER.
MOST_LABELS = 100
OTHER = "__other__"

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TOKENS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096, 8192)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
PROBABILITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
VALUES = (-10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10)


class Family(NamedTuple):
    """Series of one name, or of one histogram.

    increments: counted values -> what they add to each of the series. series: (suffix of the name, labels) of each.
    `is_signed`: a sum can decrease, so it cannot be a counter.
    """

    name: str
    meaning: str
    series: Sequence[tuple[str, Mapping[str, str]]]
    increments: Callable[[Sequence[Any]], Any]
    is_signed: bool = False


def histogram(name: str, meaning: str, bounds: Sequence[float]) -> Family:
    """A histogram of counted numbers; a bucket counts the values up to its bound `le`."""
    series = [("_bucket", {"le": f"{bound:g}"}) for bound in bounds]
    series += [("_bucket", {"le": "+Inf"}), ("_sum", {}), ("_count", {})]

    def increments(values: Sequence[float]) -> np.ndarray:
        places = np.searchsorted(bounds, values)
        buckets = np.cumsum(np.bincount(places, minlength=len(bounds) + 1))
        return np.concatenate([buckets, [np.sum(values), len(values)]])

    return Family(PREFIX + name, meaning, series, increments, is_signed=bounds[0] < 0)


def total(name: str, meaning: str) -> Family:
    """One counter of counted numbers."""
    return Family(PREFIX + name, meaning, [("", {})], sum)


# Of a step that tokenizes. A text is one row of the graph: a text, a pair, or a part of a long text.
TEXT_FAMILIES = {
    "rows": histogram("batch_rows", "Texts of one execution.", ROWS),
    "tokens": histogram("text_tokens", "Tokens of a text, after truncation.", TOKENS),
    "truncated": total("truncated_texts_total", "Texts longer than the model's limit of tokens."),
    "graph_tokens": Family(
        PREFIX + "graph_tokens_total",
        "Tokens that the graph computed: of texts, and padding.",
        [("", {"kind": kind}) for kind in ("text", "padding")],
        lambda values: np.sum(values, axis=0),  # pairs of numbers
    ),
}
# Of a step that reads images, of one that reads words, and of one that runs the whole task.
IMAGE_FAMILIES = {"images": total("images_total", "Images read.")}
WORD_FAMILIES = {"words": histogram("image_words", "Words found in an image.", ROWS)}
SECONDS_FAMILY = {"seconds": histogram("execution_seconds", "Duration of one execution, without the queue.", SECONDS)}


def score_family(score_function: str = "softmax") -> dict[str, Family]:
    """The best score of an answer. `score_function`: a name of scoring.SCORE_FUNCTIONS."""
    bounds = PROBABILITIES if score_function in ("softmax", "sigmoid") else VALUES
    return {"scores": histogram("best_score", "Best score of an answer.", bounds)}


def label_family(labels: Iterable[str]) -> dict[str, Family]:
    """How often each label is the answer; counted values are labels in UTF-8."""
    kept = list(dict.fromkeys(labels))[:MOST_LABELS]
    places = {label.encode("utf-8"): place for place, label in enumerate(kept)}

    def increments(values: Sequence[bytes]) -> np.ndarray:
        return np.bincount([places.get(value, len(kept)) for value in values], minlength=len(kept) + 1)

    series = [("", {"label": label}) for label in (*kept, OTHER)]
    return {"labels": Family(PREFIX + "predictions_total", "Answers by their best label.", series, increments)}
