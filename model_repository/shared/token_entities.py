"""Scores of tokens to entities, by the rules of transformers' TokenClassificationPipeline (4.57)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

Token = dict[str, Any]
Join = Callable[[list[str]], str]
# The label of tokens outside entities: the pipeline's ignore_labels.
IGNORED = "O"
# A word's scores from its tokens' scores, FP32 [tokens, C].
WORD_SCORES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "first": lambda scores: scores[0],
    "average": lambda scores: scores.mean(axis=0),
    "max": lambda scores: scores[scores.max(axis=1).argmax()],
}


def read_tokens(
    tokenizer: Tokenizer, text: str, unk_id: int | None, encoding: Encoding, spans: Sequence[tuple[int, int]]
) -> list[Token]:
    """The tokens that the graph got for `text`, including special tokens, in order.

    Each is a dict: word, start and end in characters of the text, is_special, and is_subword: does it continue the
    previous word? unk_id: the unknown token's id or None; the word of such a token is the text itself.
    encoding, spans: from `tokenization.locate`.
    """
    knows_words = bool(getattr(tokenizer.model, "continuing_subword_prefix", None))
    tokens = []
    for token_id, (start, end), is_special in zip(encoding.ids, spans, encoding.special_tokens_mask, strict=True):
        word = tokenizer.id_to_token(token_id)
        # Byte-level BPE, SentencePiece and others do not mark words: for them the pipeline uses spaces.
        is_subword = len(word) != end - start if knows_words else start > 0 and " " not in text[start - 1 : start + 1]
        if token_id == unk_id:
            word, is_subword = text[start:end], False
        token = {"word": word, "start": start, "end": end, "is_special": is_special, "is_subword": is_subword}
        tokens.append(token)
    return tokens


def entities(
    tokens: Sequence[Token], scores: np.ndarray, labels: Sequence[str], aggregation: str, join: Join
) -> list[Token]:
    """The entities among `tokens` (from `read_tokens`), as dicts with the pipeline's keys, in the order of the text.

    scores: FP32 [tokens, C]; labels: C texts; aggregation: "none", "simple", or a key of WORD_SCORES, which gives
    the tokens of a word one label; join: the words of tokens -> their text. Scores are numpy numbers.
    """
    units = [
        {**token, "index": index, "scores": scores[index]}
        for index, token in enumerate(tokens)
        if not token["is_special"]
    ]
    if aggregation in WORD_SCORES:
        units = [_word(word, WORD_SCORES[aggregation], join) for word in _words(units)]
    for unit in units:
        unit["label"], unit["score"] = labels[unit["scores"].argmax()], unit["scores"].max()
    if aggregation == "none":
        named = [unit for unit in units if unit["label"] != IGNORED]
        keys = ("score", "index", "word", "start", "end")
        return [{"entity": unit["label"], **{key: unit[key] for key in keys}} for unit in named]
    groups = [_group(units, join) for units in _groups(units)]
    return [group for group in groups if group["entity_group"] != IGNORED]


def entity_labels(labels: Sequence[str], aggregation: str) -> list[str]:
    """The labels that entities can have, in the order of `labels`."""
    named = labels if aggregation == "none" else dict.fromkeys(_group_label(label) for label in labels)
    return [label for label in named if label != IGNORED]


def _words(tokens: Sequence[Token]) -> list[list[Token]]:
    """Lists of tokens, one per word."""
    words: list[list[Token]] = []
    for token in tokens:
        if words and token["is_subword"]:
            words[-1].append(token)
        else:
            words.append([token])
    return words


def _word(tokens: Sequence[Token], word_scores: Callable[[np.ndarray], np.ndarray], join: Join) -> Token:
    return {**_joined(tokens, join), "scores": word_scores(np.stack([token["scores"] for token in tokens]))}


def _groups(units: Sequence[Token]) -> list[list[Token]]:
    """Lists of neighbours of one type; a label with B- starts a new one, one without B- or I- counts as I-."""
    groups: list[list[Token]] = []
    for unit in units:
        if groups and not unit["label"].startswith("B-") and _type(unit) == _type(groups[-1][-1]):
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def _type(unit: Token) -> str:
    label: str = unit["label"]
    return label[2:] if label.startswith(("B-", "I-")) else label


def _group(units: Sequence[Token], join: Join) -> Token:
    score = np.mean([unit["score"] for unit in units])
    return {"entity_group": _group_label(units[0]["label"]), "score": score, **_joined(units, join)}


def _group_label(label: str) -> str:
    return label.split("-", 1)[-1]


def _joined(units: Sequence[Token], join: Join) -> Token:
    return {"word": join([unit["word"] for unit in units]), "start": units[0]["start"], "end": units[-1]["end"]}
