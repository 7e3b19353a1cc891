"""Start and end logits to the part of a context that is the best answer, by the rules of transformers' pipeline.

Source of the rules: QuestionAnsweringPipeline of transformers 4.57, with a fast tokenizer that pads on the right.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from context_rows import MOST_ROWS, count_rows, overlap
from tokenization import CHARACTERS_PER_TOKEN
from tokenizers import Encoding, Tokenizer

QUESTION, CONTEXT = 0, 1
# Spans of tokens compared per row; several may be the same words.
CANDIDATES = 12


def spans(
    tokenizer: Tokenizer, question: str, context: str, settings: Mapping[str, Any], row: int, names: Sequence[str]
) -> list[Encoding]:
    """The encodings of the pair: one, or several whose parts of the context overlap by at most `doc_stride` tokens.

    settings: {"max_seq_len": tokens of a row, "doc_stride": int, "tokenization": {"truncation_side": ...}}.
    Raises ValueError, with the input (of `names`: question, context) and the row, for an empty text and for one that is
    too long: a context has at most MOST_ROWS parts.
    """
    limit, stride = settings["max_seq_len"], settings["doc_stride"]
    for name, text, most in zip(names, (question, context), (limit, MOST_ROWS * limit), strict=True):
        _require_readable(text, most * CHARACTERS_PER_TOKEN, name, row)
    whole: Encoding = tokenizer.encode(question, context)
    tokens = sum(sequence == CONTEXT for sequence in whole.sequence_ids)
    if not tokens:
        raise ValueError(f"input '{names[CONTEXT]}', row {row}: the tokenizer finds no token in this text")
    if len(whole) <= limit:
        return [whole]
    room = limit - (len(whole) - tokens)
    if room < 1:
        raise ValueError(
            f"input '{names[QUESTION]}', row {row}: the text is so long that no token of the context fits beside it "
            f"into the {limit} tokens of a row"
        )
    parts = count_rows(tokens, room, stride)
    if parts > MOST_ROWS:
        raise ValueError(
            f"input '{names[CONTEXT]}', row {row}: the text is too long: {parts} parts of {limit} tokens, "
            f"at most {MOST_ROWS} are read; send it in several requests"
        )
    return _split(tokenizer, question, context, limit, overlap(room, stride), settings["tokenization"])


def _require_readable(text: str, most: int, name: str, row: int) -> None:
    """Checks a text before it is tokenized."""
    if not text:
        raise ValueError(f"input '{name}', row {row}: the text is empty")
    if len(text) > most:
        raise ValueError(
            f"input '{name}', row {row}: the text is too long: {len(text)} characters, at most {most} are read"
        )


def _split(
    tokenizer: Tokenizer, question: str, context: str, limit: int, stride: int, tokenization: Mapping[str, Any]
) -> list[Encoding]:
    tokenizer.enable_truncation(limit, stride=stride, strategy="only_second", direction=tokenization["truncation_side"])
    try:
        first = tokenizer.encode(question, context)
    finally:
        tokenizer.no_truncation()
    return [first, *first.overflowing]


def best_answer(
    context: str, scored: Sequence[tuple[Encoding, np.ndarray, np.ndarray]], settings: Mapping[str, Any]
) -> tuple[bytes, float, int, int]:
    """(answer, score, start, end): the words in UTF-8, and their place in the context, in characters.

    scored: an encoding, its start logits FP32 [T] and its end logits FP32 [T] for each part of the context.
    settings: {"max_answer_len": tokens, "handle_impossible_answer": True if no answer may be best, "tokenization":
    {"cls_id": int or None}}. Spans with the same words are one answer, with the sum of their scores.
    """
    answers: dict[str | None, tuple[float, tuple[int, int]]] = {}
    null_score = 1e6
    for encoding, *logits in scored:
        allowed = _allowed(encoding, settings["tokenization"]["cls_id"])
        starts, ends = (_probabilities(each, allowed) for each in logits)
        null_score = min(null_score, float(starts[0] * ends[0]))
        starts[0] = ends[0] = 0
        for first, last, score in _candidates(starts, ends, allowed, settings["max_answer_len"]):
            place = _characters(encoding, first, last)
            words = context[slice(*place)].lower()
            before, first_place = answers.get(words, (0.0, place))
            answers[words] = (before + score, first_place)
    if settings["handle_impossible_answer"]:
        answers.setdefault(None, (null_score, (0, 0)))
    score, place = max(answers.values(), key=lambda answer: answer[0], default=(0.0, (0, 0)))
    return context[slice(*place)].encode("utf-8"), score, *place


def _allowed(encoding: Encoding, cls_id: int | None) -> np.ndarray:
    """The tokens where an answer may start or end, BOOL [T]: the context's, and the one that means no answer."""
    tokens = zip(encoding.sequence_ids, encoding.ids, encoding.attention_mask, strict=True)
    return np.array([bool(mask) and (sequence == CONTEXT or token == cls_id) for sequence, token, mask in tokens])


def _probabilities(logits: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    logits = np.where(allowed, logits, np.float32(-10000))
    exponentials = np.exp(logits - logits.max())
    return np.asarray(exponentials / exponentials.sum())


def _candidates(
    starts: np.ndarray, ends: np.ndarray, allowed: np.ndarray, longest: int
) -> Iterator[tuple[int, int, float]]:
    """The best spans of at most `longest` tokens, best first: (first token, last token, score)."""
    scores = np.zeros((len(starts), longest), dtype=np.float32)  # [first token, tokens after it]
    for after in range(min(longest, len(starts))):
        scores[: len(starts) - after, after] = starts[: len(starts) - after] * ends[after:]
    order = np.argsort(-scores, axis=None, kind="stable")[:CANDIDATES]
    for first, after in zip(*(each.tolist() for each in np.unravel_index(order, scores.shape)), strict=True):
        last = first + after
        if last < len(allowed) and allowed[first] and allowed[last]:
            yield first, last, float(scores[first, after])


def _characters(encoding: Encoding, first: int, last: int) -> tuple[int, int]:
    """The characters of the whole words around two tokens, or of the tokens themselves if they are in no word."""
    words = [encoding.token_to_word(token) for token in (first, last)]
    places = [encoding.word_to_chars(word, CONTEXT) for word in words if word is not None]
    if len(places) < 2 or None in places:
        return encoding.offsets[first][0], encoding.offsets[last][1]
    return places[0][0], places[1][1]
