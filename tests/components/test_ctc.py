import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.repository.served_code import load_shared

ctc = load_shared("ctc")

ALPHABET = ["", "a", "b", "ß", "💡"]


def logits_of(*rows):
    """Logits FP32 [N, T, C] whose likeliest symbols are these."""
    return np.eye(len(ALPHABET), dtype=np.float32)[np.array(rows)]


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([0, 0, 0, 0], ""),
        ([1, 1, 2, 2], "ab"),
        ([1, 0, 1, 1], "aa"),
        ([0, 3, 4, 0], "ß💡"),
        ([2, 1, 2, 1], "baba"),
    ],
)
def test_repeats_and_blanks_are_removed(frames, text):
    assert ctc.decode(logits_of(frames), ALPHABET) == [text]


def test_rows_are_texts():
    assert ctc.decode(logits_of([1, 1, 0], [0, 0, 0], [2, 0, 2]), ALPHABET) == ["a", "", "bb"]


def test_no_rows():
    assert ctc.decode(np.zeros((0, 25, 5), np.float32), ALPHABET) == []


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2)), min_size=1))
def test_any_alignment_of_a_text_decodes_to_it(parts):
    frames, text, former = [], "", 0
    for symbol, repeats, blanks in parts:
        frames += [0] * (symbol == former) + [symbol] * repeats + [0] * blanks
        text += ALPHABET[symbol]
        former = symbol
    assert ctc.decode(logits_of(frames), ALPHABET) == [text]
