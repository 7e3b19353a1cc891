"""Logits to scores and labels, over numpy arrays."""

import numpy as np


def softmax(logits):
    """Probabilities of exclusive classes, FP32 [B, C]."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def sigmoid(logits):
    """Independent probabilities, FP32 [B, C]; exp of what is never positive cannot overflow, and keeps small scores."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, small) / (1 + small)


SCORE_FUNCTIONS = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda logits: np.maximum(logits, 0),
    "none": lambda logits: logits,
}


def best(logits, score_function, labels, k):
    """The k best labels of each row and their scores, best first: BYTES [B, k] and FP32 [B, k].

    logits: FP32 [B, C]; labels: C UTF-8 byte strings. Of equal scores the lower index comes first.
    """
    scores = SCORE_FUNCTIONS[score_function](logits.astype(np.float32))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.array(labels, dtype=object)[order], np.take_along_axis(scores, order, axis=1).astype(np.float32)
