"""Scores of tokens to entities, by the rules of transformers' TokenClassificationPipeline (4.57)."""

import numpy as np

# What is no entity: the pipeline's ignore_labels.
IGNORED = "O"
# One row of scores for a word, from those of its tokens, FP32 [tokens, C].
WORD_SCORES = {
    "first": lambda scores: scores[0],
    "average": lambda scores: scores.mean(axis=0),
    "max": lambda scores: scores[scores.max(axis=1).argmax()],
}


def read_tokens(tokenizer, text, unk_id, encoding, spans):
    """The tokens that the graph got for `text`, special ones too, in order.

    Each is a dict: word, start and end in characters of the text, is_special, and is_subword: does it go on with the
    word before? unk_id: the unknown token's id or None; the word of such a token is what stands in the text.
    encoding, spans: of `tokenization.locate`.
    """
    knows_words = bool(getattr(tokenizer.model, "continuing_subword_prefix", None))
    tokens = []
    for token_id, (start, end), is_special in zip(encoding.ids, spans, encoding.special_tokens_mask):
        word = tokenizer.id_to_token(token_id)
        # Byte-level BPE, SentencePiece and others do not tell words apart: for them the pipeline guesses by spaces.
        goes_on = len(word) != end - start if knows_words else start > 0 and " " not in text[start - 1 : start + 1]
        if token_id == unk_id:
            word, goes_on = text[start:end], False
        token = {"word": word, "start": start, "end": end, "is_special": is_special, "is_subword": goes_on}
        tokens.append(token)
    return tokens


def entities(tokens, scores, labels, aggregation, join):
    """The entities among `tokens` (of `read_tokens`), as dicts with the pipeline's keys, in the order of the text.

    scores: FP32 [tokens, C]; labels: C texts; aggregation: "none", "simple", or a key of WORD_SCORES, by which the
    tokens of a word have one label; join: the words of some tokens -> the text they stand for. Scores stay numpy's.
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


def _words(tokens):
    """Lists of tokens, one a word."""
    words = []
    for token in tokens:
        if words and token["is_subword"]:
            words[-1].append(token)
        else:
            words.append([token])
    return words


def _word(tokens, word_scores, join):
    return {**_joined(tokens, join), "scores": word_scores(np.stack([token["scores"] for token in tokens]))}


def _groups(units):
    """Lists of neighbours of one type; a label with B- begins a new one, one without B- or I- goes on like I-."""
    groups = []
    for unit in units:
        if groups and not unit["label"].startswith("B-") and _type(unit) == _type(groups[-1][-1]):
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def _type(unit):
    return unit["label"][2:] if unit["label"].startswith(("B-", "I-")) else unit["label"]


def _group(units, join):
    score = np.mean([unit["score"] for unit in units])
    return {"entity_group": units[0]["label"].split("-", 1)[-1], "score": score, **_joined(units, join)}


def _joined(units, join):
    return {"word": join([unit["word"] for unit in units]), "start": units[0]["start"], "end": units[-1]["end"]}
