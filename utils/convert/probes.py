"""Probe texts made from a tokenizer: its special tokens inside a text, and lengths around its limit."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

# A cuneiform sign: hardly any vocabulary has it, and no normalizer removes it.
UNKNOWN = "\U00012000"
# A tokenizer can have a thousand added tokens; the same code finds all of them.
MOST_TOKENS = 24
# Candidates for a word that adds one token per repetition; then this many words of the vocabulary.
WORDS = ("a", "the", "e", ".", "1", "是", UNKNOWN)
MOST_WORDS = 300
# The model runs on texts around the limit only up to this many tokens, to bound the cost.
LONGEST_RUN = 128
LONGEST_OF_PAIR = 2000  # characters
# No text is made for a limit above this many tokens: it would cost more than the rest of the proof.
LONGEST_LIMIT = 32_768


def paired(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each text paired with another, or with "a" if both are long.

    Truncating a pair, longest first, takes memory quadratic in the length (tokenizers 0.22).
    """
    pairs = zip(texts, reversed(texts), strict=True)
    return tuple((text, other if min(len(text), len(other)) <= LONGEST_OF_PAIR else "a") for text, other in pairs)


def probe_texts(tokenizer: Any, limit: int | None) -> tuple[str, ...]:
    """All probes of a transformers tokenizer: special tokens and lengths only if it has them."""
    return (*token_texts(tokenizer), *token_probes(tokenizer), *length_texts(tokenizer, limit))


def token_probes(tokenizer: Any) -> tuple[str, ...]:
    """Each special and added token (the first MOST_TOKENS of each kind) inside, before and after other words."""
    added = {str(token): token.special for token in tokenizer.added_tokens_decoder.values()}
    special = list(dict.fromkeys([*tokenizer.all_special_tokens, *(name for name in added if added[name])]))
    plain = [name for name in added if not added[name]]
    tokens = [*special[:MOST_TOKENS], *plain[:MOST_TOKENS]]
    return tuple(
        text
        for token in tokens
        for text in (f"rain {token} sun", f"rain{token}sun {token}", f"{token}  {token.upper()} {token.lower()}", token)
    )


def model_texts(tokenizer: Any, limit: int | None) -> tuple[str, ...]:
    """The probes that the model also runs on: around the limit only if it is at most LONGEST_RUN tokens."""
    lengths = length_texts(tokenizer, limit) if limit is not None and limit <= LONGEST_RUN else ()
    return (*token_texts(tokenizer), *lengths)


def token_texts(tokenizer: Any) -> tuple[str, ...]:
    """Special and added tokens as a user may type them, apart and in words, and characters outside the vocabulary."""
    tokens = _tokens(tokenizer)
    texts = [f"What is {UNKNOWN} here, {UNKNOWN}{UNKNOWN}x and \ue000?"]
    if tokens:
        texts += [
            "I typed " + " and ".join(tokens) + " here.",
            "x".join(tokens) + "x",
            " ".join([tokens[-1], *tokens[:4]]).upper() + " " + tokens[0].lower() + " end",
        ]
    return tuple(texts)


def _tokens(tokenizer: Any) -> list[str]:
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    return list(dict.fromkeys([*tokenizer.all_special_tokens, *added]))[:MOST_TOKENS]


def length_texts(tokenizer: Any, limit: int | None) -> tuple[str, ...]:
    """Texts of one token below, at and above the limit; none if no word adds exactly one token."""
    if limit is None or limit > LONGEST_LIMIT:
        return ()
    word = next((word for word in _words(tokenizer) if _adds_one(tokenizer, word)), None)
    if word is None:
        return ()
    others = _count(tokenizer, word) - 1
    made = {length: " ".join([word] * (length - others)) for length in (limit - 1, limit, limit + 1)}
    return tuple(text for length, text in made.items() if text and _count(tokenizer, text) == length)


def _words(tokenizer: Any) -> Iterator[str]:
    yield from WORDS
    for number in range(min(MOST_WORDS, len(tokenizer))):
        yield tokenizer.decode([number], skip_special_tokens=True).strip()


def _adds_one(tokenizer: Any, word: str) -> bool:
    return bool(word) and all(
        _count(tokenizer, " ".join([word] * (count + 1))) - _count(tokenizer, " ".join([word] * count)) == 1
        for count in (1, 2)
    )


def _count(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, truncation=False, verbose=False)["input_ids"])


def first_difference(tokenizer: Any, texts: Sequence[Any], name: str, found: np.ndarray, right: np.ndarray) -> str:
    """The first difference of two arrays [B, tokens], in words: text, position, both values, the likely cause."""
    if found.shape[0] != right.shape[0]:
        return f"a batch of {len(texts)} texts: {found.shape[0]} rows instead of {right.shape[0]}"
    shortest = min(found.shape[1], right.shape[1])
    apart = np.argwhere(found[:, :shortest] != right[:, :shortest])
    row, position = (int(each) for each in apart[0]) if len(apart) else (0, shortest)
    values = [_shown(tokenizer, name, each[row], position) for each in (found, right)]
    cause = _cause(tokenizer, name, found[row], right[row], position)
    return f"{_text(texts[row])}: at position {position} {values[0]} instead of {values[1]} (most likely {cause})"


def _text(text: Any) -> str:
    return repr(text[:60]) if isinstance(text, str) else " with ".join(repr(each[:60]) for each in text)


def _shown(tokenizer: Any, name: str, row: np.ndarray, position: int) -> str:
    if position >= len(row):
        return "no token"
    value = int(row[position])
    return f"{value} ({tokenizer.convert_ids_to_tokens(value)!r})" if name == "input_ids" else str(value)


def _cause(tokenizer: Any, name: str, found: np.ndarray, right: np.ndarray, position: int) -> str:
    if name != "input_ids":
        return f"the tokenizer gives {name} by a rule that tokenizer.json does not hold"
    if position < min(len(found), len(right)):
        special = set(tokenizer.all_special_ids)
        if (int(found[position]) in special) != (int(right[position]) in special):
            return "special tokens in a text are found by one of them only, such as with split_special_tokens"
        return "a normalizer, or a rule for added tokens, is not in tokenizer.json"
    return "truncation or padding by a rule that tokenizer.json does not hold, such as pad_to_multiple_of"
