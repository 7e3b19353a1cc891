"""A CTC recognizer's outputs to texts, over numpy arrays."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

BLANK = 0


def decode(logits: np.ndarray, alphabet: Sequence[str]) -> list[str]:
    """The text of each row: the most likely symbol of each frame, without repeats and blanks.

    logits: FP32 [N, T, C]; alphabet: C texts, that of the blank (0) unused. Source: Graves et al., 2006, best path.
    """
    return ["".join(alphabet[symbol] for symbol in _collapsed(frames)) for frames in logits.argmax(axis=2)]


def _collapsed(frames: np.ndarray) -> list[int]:
    """A blank between two equal symbols keeps both."""
    return [symbol for symbol, _ in groupby(frames) if symbol != BLANK]
