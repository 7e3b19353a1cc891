"""Labels to hypotheses, and logits of entailment to scores, by the rules of transformers' pipeline.

Source of the rules: ZeroShotClassificationPipeline of transformers 4.57.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scoring import softmax
from tokenization import CHARACTERS_PER_TOKEN, bounded, decode
from tokenizers import Encoding, Tokenizer

TEXT, LABELS = 0, 1
# Each takes as much time as a text of another task. The limit keeps one request from blocking the server for hours.
MOST_LABELS = 1000


def truncate_texts(tokenizer: Tokenizer, settings: Mapping[str, Any]) -> None:
    """Makes `tokenizer` truncate the text and never the hypothesis; settings: as for load_tokenizer."""
    if settings["max_length"] is not None:
        tokenizer.enable_truncation(
            settings["max_length"], strategy="only_first", direction=settings["truncation_side"]
        )


def decode_labels(array: np.ndarray, name: str) -> list[list[str]]:
    """The labels of each row, BYTES [B, L].

    Raises ValueError, with the input and the row, for no labels, duplicates, or more than MOST_LABELS.
    """
    if array.shape[1] > MOST_LABELS:
        raise ValueError(f"input '{name}', row 0: {array.shape[1]} labels are too many; at most {MOST_LABELS} are read")
    rows = [[decode(value, name, row) for value in values] for row, values in enumerate(array)]
    for row, labels in enumerate(rows):
        if not labels:
            raise ValueError(f"input '{name}', row {row}: at least one label is required")
        seen: set[str] = set()
        for place, label in enumerate(labels):
            if not label.strip():
                raise ValueError(f"input '{name}', row {row}: label {place} has no text")
            if label in seen:
                raise ValueError(f"input '{name}', row {row}: label {place}, '{label[:60]}', is duplicated")
            seen.add(label)
    return rows


def encode(
    tokenizer: Tokenizer, text: str, labels: Sequence[str], template: str, row: int, names: Sequence[str]
) -> list[Encoding]:
    """One encoding per label: the text, truncated if necessary, and the template with that label.

    Raises ValueError, with the input (of `names`: text, labels) and the row, for an empty text or a label too long.
    """
    if not text:
        raise ValueError(f"input '{names[TEXT]}', row {row}: the text is empty")
    hypotheses = [template.format(label) for label in labels]
    if tokenizer.truncation is not None:
        limit = tokenizer.truncation["max_length"]
        room = limit - tokenizer.num_special_tokens_to_add(is_pair=True)
        beginnings = [hypothesis[: limit * CHARACTERS_PER_TOKEN] for hypothesis in hypotheses]
        encodings = tokenizer.encode_batch(beginnings, add_special_tokens=False)
        for label, hypothesis, encoding in zip(labels, hypotheses, encodings, strict=True):
            if len(encoding) >= room or len(hypothesis) > limit * CHARACTERS_PER_TOKEN:
                raise ValueError(
                    f"input '{names[LABELS]}', row {row}: the label '{label[:60]}' is so long that it leaves no room "
                    f"for the text; the hypothesis with it may have {room - 1} tokens"
                )
        text = bounded(tokenizer, text)
    pairs: list[Encoding] = tokenizer.encode_batch_fast([(text, hypothesis) for hypothesis in hypotheses])
    return pairs


def best_first(
    labels: Sequence[str], logits: np.ndarray, settings: Mapping[str, Any]
) -> tuple[list[bytes], np.ndarray]:
    """The labels in UTF-8, best first, and their scores FP32 [L]; for equal scores the later label comes first.

    logits: FP32 [L, C]; settings: {"entailment": index of that output, "multi_label": True if labels are independent}.
    """
    entailment = settings["entailment"]
    if settings["multi_label"] or len(labels) == 1:
        contradiction = 0 if entailment else -1
        scores = softmax(logits[:, [contradiction, entailment]])[:, 1]
    else:
        scores = softmax(logits[None, :, entailment])[0]
    order = np.argsort(scores, kind="stable")[::-1]
    return [labels[place].encode("utf-8") for place in order], scores[order]
