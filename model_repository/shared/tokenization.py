"""Texts to token arrays by the `tokenizers` library alone; a build holds this very code against AutoTokenizer."""

import re

import numpy as np
from tokenizers import Tokenizer

# What can be told from a text alone; a graph that takes anything else cannot be served from texts.
TENSORS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
# Of a very long text a part is tokenized first: this many characters, or this many a token asked for.
SHORTEST_PART = 4096
CHARACTERS_PER_TOKEN = 16
# No text is read further than so many such parts, be it one endless word (docs/operations.md: what that can change).
MOST_PARTS = 16
# So many words between the last token kept and a cut inside a word: more than any rule looks ahead.
WORDS_BEFORE_CUT = 16


def load_tokenizer(file, settings, padded=True):
    """The frozen tokenizer.json with truncation and padding as `settings` say, whatever the file carries.

    settings: {"max_length": int or None, "truncation_side": "right" or "left",
    "padding": {"id": int, "type_id": int, "token": str, "side": "right" or "left"} or None}, and in padding
    "length": int where every text gets that many tokens; "split_special_tokens": true where a special token in a text
    is split like any other word (no tokenizer.json carries that)
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


def encode(tokenizer, texts, dtypes, name="text_input"):
    """Arrays of shape [len(texts), longest], one for each name in `dtypes` ({tensor name of TENSORS: numpy dtype}).

    A text is a str, or a pair of them for a model that takes two. ValueError names the input and the row of a text
    without any token, which no model can answer.
    """
    return arrays(tokenize(tokenizer, texts, name), dtypes)


def tokenize(tokenizer, texts, name="text_input"):
    """One Encoding a text; ValueError as for `encode`."""
    encodings = tokenizer.encode_batch([_bounded(tokenizer, text) for text in texts])
    for row, encoding in enumerate(encodings):
        if not any(encoding.attention_mask):
            raise ValueError(f"input '{name}', row {row}: the tokenizer finds no token in this text")
    return encodings


def arrays(encodings, dtypes, padding=None):
    """The encodings of one batch as arrays; where `padding` (of the settings) is given, padded here to the longest.

    Where `padding` has "buckets", lengths in ascending order, it is padded to the first that holds the longest.
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


def _bounded(tokenizer, text):
    if isinstance(text, str):
        return bounded(tokenizer, text)
    texts = tuple(_capped(tokenizer, each) for each in text)
    parts = tuple(bounded(tokenizer, each) for each in texts)
    return parts if parts == texts else _in_order(tokenizer, texts, parts)


def _capped(tokenizer, text):
    truncation = tokenizer.truncation
    if truncation is None:
        return text
    most = MOST_PARTS * _part(truncation)
    return text[-most:] if truncation["direction"].lower() == "left" else text[:most]


def _part(truncation):
    """The size of the first part to try."""
    return max(SHORTEST_PART, CHARACTERS_PER_TOKEN * truncation["max_length"])


def _in_order(tokenizer, texts, parts):
    """Of two texts that are both too long the one with more tokens keeps the odd one: so it must be of their parts."""
    truncation = tokenizer.truncation
    room = truncation["max_length"] - tokenizer.num_special_tokens_to_add(is_pair=True)
    tokenizer.no_truncation()
    try:
        counts = [_count(tokenizer, part) for part in parts]
        if room % 2 == 0 or min(counts) <= room:
            return parts
        first_is_longer = _count(tokenizer, texts[0]) > _count(tokenizer, texts[1])
        longer, size = (0 if first_is_longer else 1), 0
        parts = list(parts)
        while (counts[0] > counts[1]) != first_is_longer and size < len(texts[longer]):
            size = 2 * len(parts[longer])  # what is added lies beyond the tokens kept
            parts[longer] = texts[longer][-size:] if truncation["direction"].lower() == "left" else texts[longer][:size]
            counts[longer] = _count(tokenizer, parts[longer])
        return tuple(parts)
    finally:
        tokenizer.enable_truncation(**truncation)


def _count(tokenizer, text):
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def bounded(tokenizer, text):
    """`text`, or that part of a very long one that has the same tokens after truncation.

    A part is cut between words, and taken when the tokens kept lie in the half that is far from the cut: then nothing
    beyond the cut can change them but a rule that sees across half a part. Where no space is, as in Chinese, a
    beginning is cut anywhere if the tokenizer finds words in its other half. Else the next part is twice as long, up to
    MOST_PARTS of the first: one endless word is cut there.
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


def locate(tokenizer, text):
    """The tokens of one text as `encode` gives them, without padding, and the place of each in the whole text.

    A place is the character it begins with and the one after its last; special tokens have none that is true.
    """
    part = bounded(tokenizer, text)
    is_tail = part != text and tokenizer.truncation["direction"].lower() == "left"
    before = len(text) - len(part) if is_tail else 0
    encoding = tokenizer.encode(part)
    return encoding, [(start + before, end + before) for start, end in encoding.offsets]


def _separators(tokenizer):
    """Those of space and line feed that no word reaches across, nor any merge of the vocabulary."""
    if tokenizer.pre_tokenizer is None:
        return "^\\S\\s"  # nothing at all
    normalized = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
    words = {mark: tokenizer.pre_tokenizer.pre_tokenize_str(normalized(f"a{mark}b")) for mark in " \n"}
    return "".join(mark for mark in words if len(words[mark]) > 1) or "^\\S\\s"


def _head(text, size, word_end):
    """The longest beginning of at most `size` characters that ends as a word does; "" when its second half has none."""
    ends = [found.end() for found in word_end.finditer(text, size // 2, size + 1)]
    return text[: ends[-1]] if ends else ""


def _cut(tokenizer, text, size):
    """The first `size` characters, when the cut is words away from their middle; else "".

    Words are found from left to right, and each by itself is split into tokens: the cut harms the last one only.
    """
    if tokenizer.pre_tokenizer is None:
        return ""
    half = text[size // 2 : size]
    normalized = tokenizer.normalizer.normalize_str(half) if tokenizer.normalizer else half
    return text[:size] if len(tokenizer.pre_tokenizer.pre_tokenize_str(normalized)) > WORDS_BEFORE_CUT else ""


def _tail(text, size, word_end):
    """Likewise the longest end that begins after a word."""
    first = len(text) - size
    found = word_end.search(text, first, first + size // 2)
    return text[found.end() :] if found else ""


def joined(columns, keeps_empty_pair=False):
    """Of one column its texts, of two their pairs.

    An empty second text is none, as in transformers' pipelines; where `keeps_empty_pair` it is an empty text, as
    sentence-transformers' CrossEncoder takes it.
    """
    if len(columns) == 1:
        return columns[0]
    return [pair if pair[1] or keeps_empty_pair else pair[0] for pair in zip(*columns)]


def decode_rows(array, name):
    """The texts of a BYTES array, row by row; ValueError names the input and the row that is not UTF-8."""
    return [decode(value, name, row) for row, value in enumerate(array.reshape(-1))]


def decode(value, name, row):
    """The text of one element of a BYTES array; ValueError as in `decode_rows`."""
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise ValueError(f"input '{name}', row {row}: not valid UTF-8 (byte {error.start})") from error
