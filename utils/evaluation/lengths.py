"""The length of each row of --eval-file in tokens, whole, even where the model truncates it."""

from collections.abc import Sequence
from pathlib import Path

from utils.evaluation.kind import EvalRow

# What is longer counts as so long: tokenizing a book takes seconds.
MOST_CHARACTERS = 100_000


def token_counts(tokenizer_file: Path, rows: Sequence[EvalRow]) -> list[int]:
    """The tokens of each row's texts together, special tokens included."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [len(tokenizer.encode(*(text[:MOST_CHARACTERS] for text in row.texts)).ids) for row in rows]
