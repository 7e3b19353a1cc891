"""What PyTorch says of the texts, one at a time: `python -m benchmarks.agreement MODEL`, {label: probability} each."""

import json
import sys
from collections.abc import Sequence

from benchmarks.texts import make_texts
from utils.convert.agreement import TIE

TEXTS = 400


def probabilities(folder: str) -> list[dict[str, float]]:
    """Of each label, for each of the texts asked about."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    names = model.config.id2label
    found = []
    with torch.inference_mode():
        for text in make_texts("mixed")[:TEXTS]:
            values = model(**tokenizer(text, truncation=True, return_tensors="pt")).logits.softmax(-1)[0].tolist()
            found.append({names[place]: value for place, value in enumerate(values)})
    return found


def agreement(expected: Sequence[dict[str, float]], answered: Sequence[str]) -> dict[str, float]:
    """Shares: `same_label` as PyTorch says, `agreement` with those labels that PyTorch holds almost as likely."""
    behind = [max(row.values()) - row[label] for row, label in zip(expected, answered, strict=True)]
    return {
        "same_label": sum(each == 0 for each in behind) / len(behind),
        "agreement": sum(each <= TIE for each in behind) / len(behind),
    }


if __name__ == "__main__":
    print(json.dumps(probabilities(sys.argv[1])))
