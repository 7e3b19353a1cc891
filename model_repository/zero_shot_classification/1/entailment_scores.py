"""Labels to hypotheses, and the logits of their entailment to scores, by the rules of transformers' pipeline.

Source of the rules: ZeroShotClassificationPipeline of transformers 4.57.
"""

import numpy as np
from scoring import softmax
from tokenization import CHARACTERS_PER_TOKEN, bounded, decode

TEXT, LABELS = 0, 1
# Each takes the graph as long as a text of another task: one request must not keep the server for hours.
MOST_LABELS = 1000


def truncate_texts(tokenizer, settings):
    """Lets `tokenizer` truncate a text and never the hypothesis beside it; settings: as of load_tokenizer."""
    if settings["max_length"] is not None:
        tokenizer.enable_truncation(
            settings["max_length"], strategy="only_first", direction=settings["truncation_side"]
        )


def decode_labels(array, name):
    """The labels of each row, BYTES [B, L].

    ValueError names the input and the row that has none, one twice, or more than MOST_LABELS.
    """
    if array.shape[1] > MOST_LABELS:
        raise ValueError(f"input '{name}', row 0: {array.shape[1]} labels are too many; at most {MOST_LABELS} are read")
    rows = [[decode(value, name, row) for value in values] for row, values in enumerate(array)]
    for row, labels in enumerate(rows):
        if not labels:
            raise ValueError(f"input '{name}', row {row}: there must be one label at least")
        seen = set()
        for place, label in enumerate(labels):
            if not label.strip():
                raise ValueError(f"input '{name}', row {row}: label {place} has no text")
            if label in seen:
                raise ValueError(f"input '{name}', row {row}: label {place}, '{label[:60]}', stands there twice")
            seen.add(label)
    return rows


def encode(tokenizer, text, labels, template, row, names):
    """One encoding a label: the text, truncated where it must be, beside the template with that label in it.

    ValueError names the input (of `names`: text, labels) and the row that has no text, or a label without end.
    """
    if not text:
        raise ValueError(f"input '{names[TEXT]}', row {row}: the text is empty")
    hypotheses = [template.format(label) for label in labels]
    if tokenizer.truncation is not None:
        limit = tokenizer.truncation["max_length"]
        room = limit - tokenizer.num_special_tokens_to_add(is_pair=True)
        looked_at = [hypothesis[: limit * CHARACTERS_PER_TOKEN] for hypothesis in hypotheses]
        encodings = tokenizer.encode_batch(looked_at, add_special_tokens=False)
        for label, hypothesis, encoding in zip(labels, hypotheses, encodings):
            if len(encoding) >= room or len(hypothesis) > limit * CHARACTERS_PER_TOKEN:
                raise ValueError(
                    f"input '{names[LABELS]}', row {row}: the label '{label[:60]}' is so long that it leaves no room "
                    f"for the text; with the words around it it may have {room - 1} tokens"
                )
        text = bounded(tokenizer, text)
    return tokenizer.encode_batch([(text, hypothesis) for hypothesis in hypotheses])


def best_first(labels, logits, settings):
    """The labels in UTF-8, best first, and their scores FP32 [L]; of equal scores the later label comes first.

    logits: FP32 [L, C]; settings: {"entailment": index of that output, "multi_label": is each label judged by itself}.
    """
    entailment = settings["entailment"]
    if settings["multi_label"] or len(labels) == 1:
        contradiction = 0 if entailment else -1
        scores = softmax(logits[:, [contradiction, entailment]])[:, 1]
    else:
        scores = softmax(logits[None, :, entailment])[0]
    order = np.argsort(scores, kind="stable")[::-1]
    return [labels[place].encode("utf-8") for place in order], scores[order]
