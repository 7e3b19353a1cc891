"""Splits a context that is too long for one row of the graph into overlapping rows."""

# Each row takes as much time as a text of another task. The limit keeps one request from blocking the server for hours.
MOST_ROWS = 128


def overlap(room: int, stride: int) -> int:
    """Tokens that two neighbouring rows share; `room`: tokens of the context in a row, beside the question.

    As in transformers' pipeline it is `stride`, if that is less than `room`. Otherwise it is half of `room`: the
    tokenizer panics on rows that overlap completely.
    """
    return stride if room > stride else room // 2


def count_rows(tokens: int, room: int, stride: int) -> int:
    """The number of rows for a context of `tokens` tokens; 0 if no token fits into a row."""
    if room < 1:
        return 0
    return 1 + max(0, -(-(tokens - room) // (room - overlap(room, stride))))
