"""A CTC recognizer's outputs to texts, over numpy arrays."""

from itertools import groupby

BLANK = 0


def decode(logits, alphabet):
    """The likeliest symbol of each frame, repeats taken once and blanks left out: a text for each row.

    logits: FP32 [N, T, C]; alphabet: C texts, that of the blank (0) unused. Source: Graves et al., 2006, best path.
    """
    return ["".join(alphabet[symbol] for symbol in _collapsed(frames)) for frames in logits.argmax(axis=2)]


def _collapsed(frames):
    """A blank between two equal symbols keeps both."""
    return [symbol for symbol, _ in groupby(frames) if symbol != BLANK]
