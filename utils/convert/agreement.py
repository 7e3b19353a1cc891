"""Agreement of a graph of reduced precision with the reference model: one rule for each kind of answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

# Of probabilities, or of the range of values: choices that the reference model scores this close count as equal.
TIE = 0.1


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """`share`: equal choices (embeddings: lowest cosine similarity); `drifts`: each text's largest difference.

    A difference is one of probabilities, or of the values themselves if they are served as they are.
    """

    share: float
    drifts: tuple[float, ...]
    measured: str

    @property
    def drift(self) -> float:
        """The largest difference of all texts."""
        return max(self.drifts)

    @property
    def facts(self) -> dict[str, float]:
        """What a build records of it: the share, and the distribution of the differences over the texts."""
        median, most = np.quantile(self.drifts, [0.5, 0.95])
        return {"agreement": self.share, "drift_median": float(median), "drift_95": float(most), "drift": self.drift}

    def __str__(self) -> str:
        facts = self.facts
        drift = f"{facts['drift_median']:.2g} (median), {facts['drift_95']:.2g} (95% of the texts), {self.drift:.2g}"
        return f"{self.measured} {100 * self.share:.6g}%, drift {drift} (largest)"


# Two lists of FP32 arrays, one per text: the reference model's, and the reduced graph's.
Rule = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], Agreement]


def _choices(reference: Sequence[np.ndarray], reduced: Sequence[np.ndarray]) -> Agreement:
    """The best label of a text, or of each of its tokens."""
    same, differences = [], []
    for one, other in zip(reference, reduced, strict=True):
        expected, found = _softmax(one), _softmax(other)
        chosen = np.take_along_axis(expected, found.argmax(axis=-1, keepdims=True), axis=-1)
        same.append((expected.max(axis=-1, keepdims=True) - chosen <= TIE).reshape(-1))
        differences.append(np.abs(expected - found))
    return _agreement("same label", np.concatenate(same), differences)


def _decisions(reference: Sequence[np.ndarray], reduced: Sequence[np.ndarray]) -> Agreement:
    """Each label separately: above one half or not."""
    expected, found = (1 / (1 + np.exp(-np.stack(list(each)))) for each in (reference, reduced))
    same = ((expected > 0.5) == (found > 0.5)) | (np.abs(expected - 0.5) <= TIE)
    return _agreement("same decision", same.reshape(-1), np.abs(expected - found))


def _order(reference: Sequence[np.ndarray], reduced: Sequence[np.ndarray]) -> Agreement:
    """Which of two texts has the higher value."""
    expected, found = (np.stack(list(each)).reshape(len(each), -1) for each in (reference, reduced))
    spread = np.ptp(expected, axis=0)
    same, pairs = 0, 0
    for one in range(len(expected) - 1):  # each text with all that follow: all pairs at once are too many
        apart, found_apart = expected[one] - expected[one + 1 :], found[one] - found[one + 1 :]
        equal = (np.sign(apart) == np.sign(found_apart)) | (np.abs(apart) <= TIE * spread)
        same, pairs = same + int(equal.sum()), pairs + equal.size
    share = same / pairs if pairs else 1.0
    return _agreement("same order of two texts", np.array(share), np.abs(expected - found))


def _cosines(reference: Sequence[np.ndarray], reduced: Sequence[np.ndarray]) -> Agreement:
    cosines = [
        float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
        for one, other in zip(reference, reduced, strict=True)
    ]
    differences = [np.abs(one - other) for one, other in zip(reference, reduced, strict=True)]
    return replace(_agreement("cosine similarity of at least", np.ones(1), differences), share=min(cosines))


def _agreement(measured: str, same: np.ndarray, differences: Sequence[np.ndarray] | np.ndarray) -> Agreement:
    """`differences`: an array for each text."""
    drifts = tuple(float(each.max(initial=0)) for each in differences)
    return Agreement(share=float(np.mean(same)), drifts=drifts, measured=measured)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


# By the activation of the values; "none": they are served as they are.
RULES: dict[str, Rule] = {"softmax": _choices, "sigmoid": _decisions, "none": _order, "cosine": _cosines}
