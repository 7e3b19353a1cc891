"""What the models answer, one dataclass for each kind. Embeddings are numpy arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triton_image_client.calls import Array


@dataclass(frozen=True, kw_only=True)
class Classification:
    """Of text, pair and zero-shot classification: the labels, best first, and their scores."""

    labels: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def label(self) -> str:
        """The best label."""
        return self.labels[0]

    @property
    def score(self) -> float:
        """Of the best label."""
        return self.scores[0]


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """A text and its score for the query. `index`: its place in the request. `scores`: all outputs of the head."""

    text: str
    index: int
    scores: tuple[float, ...]

    @property
    def score(self) -> float:
        """The only score, or the first."""
        return self.scores[0]


@dataclass(frozen=True, kw_only=True)
class Entity:
    """Characters `start` up to but not including `end` of the text; None if the tokenizer does not tell them.

    `index`: the number of the token, for a model built with --aggregation none.
    """

    label: str
    score: float
    word: str
    start: int | None
    end: int | None
    index: int | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Of a question: characters `start` up to but not including `end` of the context. Empty if there is none."""

    answer: str
    score: float
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class SparseEmbedding:
    """`indices`: token ids, INT64 [N], ascending. `weights`: FP32 [N], above 0."""

    indices: Array
    weights: Array


@dataclass(frozen=True, kw_only=True)
class Word:
    """Of a picture. `box`: its corners in pixels, FP32 [4, 2], clockwise from the top left of the text."""

    text: str
    score: float
    box: Array


def ranked(texts: Sequence[str], scores: Sequence[tuple[float, ...]]) -> list[Ranking]:
    """The texts with their scores, best first."""
    pairs = enumerate(zip(texts, scores, strict=True))
    found = [Ranking(text=text, index=place, scores=each) for place, (text, each) in pairs]
    return sorted(found, key=lambda each: -each.score)


def stacked(embeddings: Sequence[Array]) -> Array:
    """FP32 [N, D]; [0, 0] without embeddings, because D is not known then."""
    return np.stack(embeddings) if embeddings else np.empty((0, 0), dtype=np.float32)
