"""Texts to token arrays with the `tokenizers` library only. A build compares this code with AutoTokenizer."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

Text = str | tuple[str, str]
Dtypes = Mapping[str, Any]

# The inputs that can be made from a text; a graph with other inputs cannot be served from texts.
TENSORS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
# Of a very long text a part is tokenized first: this many characters, or this many per token of max_length.
SHORTEST_PART = 4096
CHARACTERS_PER_TOKEN = 16
# At most this many such parts of a text are read, even if it is one word (docs/operations.md: the consequences).
MOST_PARTS = 16
# Words between the last token kept and a cut inside a word: more than any rule looks ahead.
WORDS_BEFORE_CUT = 16


def load_tokenizer(file: Path, settings: Mapping[str, Any], padded: bool = True) -> Tokenizer:
    """The frozen tokenizer.json with truncation and padding from `settings`, regardless of the file's own.

    settings: {"max_length": int or None, "truncation_side": "right" or "left",
    "padding": {"id": int, "type_id": int, "token": str, "side": "right" or "left"} or None}, and in padding
    "length": int if every text gets that many tokens; "split_special_tokens": true if a special token in a text is
    split like any other word (tokenizer.json cannot store that)
    """
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = settings.get("split_special_tokens", False)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if settings["max_length"] is not None:
        tokenizer.enable_truncation(settings["max_length"], direction=settings["truncation_side"])
    padding = settings["padding"]
    if padded and padding is not None:
        tokenizer.enable_padding(
            direction=padding["side"],
            pad_id=padding["id"],
            pad_type_id=padding["type_id"],
            pad_token=padding["token"],
            length=padding.get("length"),
        )
    return tokenizer


def encode(
    tokenizer: Tokenizer, texts: Sequence[Text], dtypes: Dtypes, name: str = "text_input"
) -> dict[str, np.ndarray]:
    """Arrays of shape [len(texts), longest], one for each name in `dtypes` ({tensor name of TENSORS: numpy dtype}).

    A text is a str, or a pair for a model with two texts. Raises ValueError, with the input and the row, for a text
    without any token.
    """
    return arrays(tokenize(tokenizer, texts, name), dtypes)


def tokenize(tokenizer: Tokenizer, texts: Sequence[Text], name: str = "text_input", skipped: int = 0) -> list[Encoding]:
    """One Encoding per text, without offsets, which would take as long as the tokens.

    Raises ValueError as `encode` does, and for a text with `skipped` tokens or fewer.
    """
    encodings: list[Encoding] = tokenizer.encode_batch_fast([_bounded(tokenizer, text) for text in texts])
    for row, encoding in enumerate(encodings):
        if sum(encoding.attention_mask) <= skipped:
            raise ValueError(f"input '{name}', row {row}: the tokenizer finds no token in this text")
    return encodings


def arrays(
    encodings: Sequence[Encoding], dtypes: Dtypes, padding: Mapping[str, Any] | None = None
) -> dict[str, np.ndarray]:
    """The encodings of one batch as arrays; with `padding` (of the settings), padded to the longest.

    If `padding` has "buckets", lengths in ascending order, rows are padded to the first that fits the longest.
    """
    if padding is not None:
        longest = padding.get("length") or max(len(encoding.ids) for encoding in encodings)
        longest = next((bucket for bucket in padding.get("buckets", ()) if bucket >= longest), longest)
        for encoding in encodings:
            encoding.pad(
                longest,
                direction=padding["side"],
                pad_id=padding["id"],
                pad_type_id=padding["type_id"],
                pad_token=padding["token"],
            )
    found = {
        "input_ids": np.array([encoding.ids for encoding in encodings]),
        "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
        "token_type_ids": np.array([encoding.type_ids for encoding in encodings]),
    }
    if "position_ids" in dtypes:
        mask = found["attention_mask"]
        found["position_ids"] = np.where(mask == 1, np.cumsum(mask, axis=1) - 1, 1)
    return {name: found[name].astype(dtype) for name, dtype in dtypes.items()}


def _bounded(tokenizer: Tokenizer, text: Text) -> Text:
    if isinstance(text, str):
        return bounded(tokenizer, text)
    texts = (_capped(tokenizer, text[0]), _capped(tokenizer, text[1]))
    parts = (bounded(tokenizer, texts[0]), bounded(tokenizer, texts[1]))
    return parts if parts == texts else _in_order(tokenizer, texts, parts)


def _capped(tokenizer: Tokenizer, text: str) -> str:
    truncation = tokenizer.truncation
    if truncation is None:
        return text
    most = MOST_PARTS * _part(truncation)
    return text[-most:] if truncation["direction"].lower() == "left" else text[:most]


def _part(truncation: Mapping[str, Any]) -> int:
    """The size of the first part to try."""
    return max(SHORTEST_PART, CHARACTERS_PER_TOKEN * int(truncation["max_length"]))


def _in_order(tokenizer: Tokenizer, texts: tuple[str, str], parts: tuple[str, str]) -> tuple[str, str]:
    """Of two texts that are both too long, the one with more tokens keeps the odd token. Their parts must agree."""
    truncation = tokenizer.truncation
    room = truncation["max_length"] - tokenizer.num_special_tokens_to_add(is_pair=True)
    tokenizer.no_truncation()
    try:
        counts = [_count(tokenizer, part) for part in parts]
        if room % 2 == 0 or min(counts) <= room:
            return parts
        first_is_longer = _count(tokenizer, texts[0]) > _count(tokenizer, texts[1])
        longer, size = (0 if first_is_longer else 1), 0
        grown = list(parts)
        while (counts[0] > counts[1]) != first_is_longer and size < len(texts[longer]):
            size = 2 * len(grown[longer])  # the added text lies beyond the tokens kept
            grown[longer] = texts[longer][-size:] if truncation["direction"].lower() == "left" else texts[longer][:size]
            counts[longer] = _count(tokenizer, grown[longer])
        return grown[0], grown[1]
    finally:
        tokenizer.enable_truncation(**truncation)


def _count(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def bounded(tokenizer: Tokenizer, text: str) -> str:
    """`text`, or the part of a very long text that has the same tokens after truncation.

    A part is cut between words, and used if the tokens kept lie in the half that is far from the cut: then only a rule
    that looks across half a part could change them. Without spaces, as in Chinese, a beginning is cut anywhere if the
    tokenizer finds words in its other half. Otherwise the next part is twice as long, up to MOST_PARTS of the first,
    where a single word is cut.
    """
    truncation = tokenizer.truncation
    if truncation is None or len(text) <= SHORTEST_PART:
        return text
    text = _capped(tokenizer, text)
    limit, from_left = truncation["max_length"], truncation["direction"].lower() == "left"
    word_end = re.compile(rf"\S(?=[{_separators(tokenizer)}])")
    size = _part(truncation)
    while size < len(text):
        part = _tail(text, size, word_end) if from_left else _head(text, size, word_end) or _cut(tokenizer, text, size)
        if part:
            encoding = tokenizer.encode(part)
            spans = [span for span in encoding.offsets if span[0] < span[1]] or [(0, len(part))]
            reach = len(part) - spans[0][0] if from_left else spans[-1][1]
            if len(encoding.ids) == limit and 2 * reach <= len(part):
                return part
        size *= 2
    return text


def locate(tokenizer: Tokenizer, text: str) -> tuple[Encoding, list[tuple[int, int]]]:
    """The tokens of one text as in `encode`, without padding, and the place of each in the whole text.

    A place is the index of the first character and of the one after the last; those of special tokens are meaningless.
    """
    part = bounded(tokenizer, text)
    is_tail = part != text and tokenizer.truncation["direction"].lower() == "left"
    before = len(text) - len(part) if is_tail else 0
    encoding = tokenizer.encode(part)
    return encoding, [(start + before, end + before) for start, end in encoding.offsets]


def _separators(tokenizer: Tokenizer) -> str:
    """Those of space and line feed that no word and no merge of the vocabulary crosses."""
    if tokenizer.pre_tokenizer is None:
        return "^\\S\\s"  # matches nothing
    normalized = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
    words = {mark: tokenizer.pre_tokenizer.pre_tokenize_str(normalized(f"a{mark}b")) for mark in " \n"}
    return "".join(mark for mark in words if len(words[mark]) > 1) or "^\\S\\s"


def _head(text: str, size: int, word_end: re.Pattern[str]) -> str:
    """The longest beginning of at most `size` characters that ends with a word in its second half, or ""."""
    ends = [found.end() for found in word_end.finditer(text, size // 2, size + 1)]
    return text[: ends[-1]] if ends else ""


def _cut(tokenizer: Tokenizer, text: str, size: int) -> str:
    """The first `size` characters if the cut is words away from their middle; else "".

    Words are found from left to right, and each is split into tokens separately: the cut affects the last one only.
    """
    if tokenizer.pre_tokenizer is None:
        return ""
    half = text[size // 2 : size]
    normalized = tokenizer.normalizer.normalize_str(half) if tokenizer.normalizer else half
    return text[:size] if len(tokenizer.pre_tokenizer.pre_tokenize_str(normalized)) > WORDS_BEFORE_CUT else ""


def _tail(text: str, size: int, word_end: re.Pattern[str]) -> str:
    """The longest end that begins after a word, as in `_head`."""
    first = len(text) - size
    found = word_end.search(text, first, first + size // 2)
    return text[found.end() :] if found else ""


def joined(columns: Sequence[Sequence[str]], keeps_empty_pair: bool = False) -> list[Text]:
    """The texts of one column, or the pairs of two.

    An empty second text is dropped, as in transformers' pipelines; with `keeps_empty_pair` it is kept, as in
    sentence-transformers' CrossEncoder.
    """
    if len(columns) == 1:
        return list(columns[0])
    return [pair if pair[1] or keeps_empty_pair else pair[0] for pair in zip(columns[0], columns[1], strict=True)]


def prompted(columns: Sequence[list[str]], prompt: str) -> list[list[str]]:
    """The columns with `prompt` before each text of the first."""
    return [[prompt + text for text in columns[0]], *columns[1:]] if prompt else list(columns)


def decode_rows(array: np.ndarray, name: str) -> list[str]:
    """The texts of a BYTES array, row by row. Raises ValueError with the input and the row that is not UTF-8."""
    return [decode(value, name, row) for row, value in enumerate(array.reshape(-1))]


def decode(value: Any, name: str, row: int) -> str:
    """The text of one element of a BYTES array; raises ValueError as `decode_rows` does."""
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise ValueError(f"input '{name}', row {row}: not valid UTF-8 (byte {error.start})") from error
