"""Logits to scores and labels, over numpy arrays."""

from collections.abc import Callable, Sequence

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of exclusive classes, FP32 [B, C]."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Independent probabilities, FP32 [B, C]. The exponent is never positive, so it cannot overflow."""
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, small) / (1 + small))


SCORE_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda logits: np.maximum(logits, 0),
    "none": lambda logits: logits,
}


def best(logits: np.ndarray, score_function: str, labels: Sequence[bytes], k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best labels of each row and their scores, best first: BYTES [B, k] and FP32 [B, k].

    logits: FP32 [B, C]; labels: C UTF-8 byte strings. For equal scores the lower index comes first.
    """
    scores = SCORE_FUNCTIONS[score_function](logits.astype(np.float32))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.array(labels, dtype=object)[order], np.take_along_axis(scores, order, axis=1).astype(np.float32)
