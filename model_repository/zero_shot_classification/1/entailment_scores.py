"""Labels to hypotheses, and the logits of their entailment to scores, by the rules of transformers' pipeline.

Source of the rules: ZeroShotClassificationPipeline of transformers 4.57.
"""

import numpy as np
from scoring import softmax
from tokenization import bounded, decode

TEXT, LABELS = 0, 1


def truncate_texts(tokenizer, settings):
    """Lets `tokenizer` truncate a text and never the hypothesis beside it; settings: as of load_tokenizer."""
    if settings["max_length"] is not None:
        tokenizer.enable_truncation(
            settings["max_length"], strategy="only_first", direction=settings["truncation_side"]
        )


def decode_labels(array, name):
    """The labels of each row, BYTES [B, L]; ValueError names the input and the row that has none, or one twice."""
    rows = [[decode(value, name, row) for value in values] for row, values in enumerate(array)]
    for row, labels in enumerate(rows):
        if not labels:
            raise ValueError(f"input '{name}', row {row}: there must be one label at least")
        for place, label in enumerate(labels):
            if not label.strip():
                raise ValueError(f"input '{name}', row {row}: label {place} has no text")
            if label in labels[:place]:
                raise ValueError(f"input '{name}', row {row}: label {place}, '{label[:60]}', stands there twice")
    return rows


def encode(tokenizer, text, labels, template, row, names):
    """One encoding a label: the text, truncated where it must be, beside the template with that label in it.

    ValueError names the input (of `names`: text, labels) and the row that has no text, or a label without end.
    """
    if not text:
        raise ValueError(f"input '{names[TEXT]}', row {row}: the text is empty")
    hypotheses = [template.format(label) for label in labels]
    if tokenizer.truncation is not None:
        room = tokenizer.truncation["max_length"] - tokenizer.num_special_tokens_to_add(is_pair=True)
        for label, encoding in zip(labels, tokenizer.encode_batch(hypotheses, add_special_tokens=False)):
            if len(encoding) >= room:
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
