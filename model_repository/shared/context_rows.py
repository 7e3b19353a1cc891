"""How a context that is too long for one row of the graph becomes several rows that overlap. Pure arithmetic."""

# Each row takes the graph as long as a text of another task: one request must not keep the server for hours.
MOST_ROWS = 128


def overlap(room, stride):
    """Tokens that two neighbouring rows share; `room`: those of the context in a row, beside the question.

    It is `stride`, as in transformers' pipeline, if that is less than `room`; else half of `room`: the tokenizer
    refuses rows that overlap by all they have (transformers ends with its panic).
    """
    return stride if room > stride else room // 2


def count_rows(tokens, room, stride):
    """The rows that a context of `tokens` tokens becomes; 0 if no token of it fits into a row."""
    if room < 1:
        return 0
    return 1 + max(0, -(-(tokens - room) // (room - overlap(room, stride))))
