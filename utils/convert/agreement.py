"""Agreement of a graph of reduced precision with the reference model: one rule for each kind of answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

# Of probabilities, or of the range of values: choices that the reference model scores this close count as equal.
TIE = 0.1


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """`share`: equal choices (embeddings: lowest cosine similarity); `drift`: largest difference."""

    share: float
    drift: float
    measured: str

    def __str__(self) -> str:
        return f"{self.measured} {100 * self.share:.6g}%, largest drift {self.drift:.2g}"


# Two lists of FP32 arrays, one per text: the reference model's, and the reduced graph's.
Rule = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], Agreement]


def _choices(reference: Sequence[np.ndarray], reduced: Sequence[np.ndarray]) -> Agreement:
    """The best label of a text, or of each of its tokens."""
    same, drifts = [], []
    for one, other in zip(reference, reduced, strict=True):
        expected, found = _softmax(one), _softmax(other)
        chosen = np.take_along_axis(expected, found.argmax(axis=-1, keepdims=True), axis=-1)
        same.append((expected.max(axis=-1, keepdims=True) - chosen <= TIE).reshape(-1))
        drifts.append(np.abs(expected - found).max(initial=0))
    return _agreement("same label", np.concatenate(same), drifts)


def _decisions(reference: Sequence[np.ndarray], reduced: Sequence[np.ndarray]) -> Agreement:
    """Each label separately: above one half or not."""
    expected, found = (1 / (1 + np.exp(-np.stack(list(each)))) for each in (reference, reduced))
    same = ((expected > 0.5) == (found > 0.5)) | (np.abs(expected - 0.5) <= TIE)
    return _agreement("same decision", same.reshape(-1), [np.abs(expected - found).max()])


def _order(reference: Sequence[np.ndarray], reduced: Sequence[np.ndarray]) -> Agreement:
    """Which of two texts has the higher value."""
    expected, found = (np.stack(list(each)).reshape(len(each), -1) for each in (reference, reduced))
    spread = np.ptp(expected, axis=0)
    same = [
        (np.sign(expected[one] - expected[other]) == np.sign(found[one] - found[other]))
        | (np.abs(expected[one] - expected[other]) <= TIE * spread)
        for one, other in combinations(range(len(expected)), 2)
    ]
    return _agreement("same order of two texts", np.array(same or [True]), [np.abs(expected - found).max()])


def _cosines(reference: Sequence[np.ndarray], reduced: Sequence[np.ndarray]) -> Agreement:
    cosines = [
        float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
        for one, other in zip(reference, reduced, strict=True)
    ]
    drifts = [np.abs(one - other).max() for one, other in zip(reference, reduced, strict=True)]
    return Agreement(share=min(cosines), drift=float(max(drifts)), measured="cosine similarity of at least")


def _agreement(measured: str, same: np.ndarray, drifts: Sequence[np.floating]) -> Agreement:
    return Agreement(share=float(np.mean(same)), drift=float(max(drifts)), measured=measured)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


# By the activation of the values; "none": they are served as they are.
RULES: dict[str, Rule] = {"softmax": _choices, "sigmoid": _decisions, "none": _order, "cosine": _cosines}
