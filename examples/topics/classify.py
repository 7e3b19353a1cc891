"""Classifies three texts that the topics model was not trained on.

`python -m examples.topics.classify [HOST:PORT [MODEL_NAME]]` prints the label and the score of each.
"""

import sys
from dataclasses import dataclass

import numpy as np
import tritonclient.http as client

TEXTS = {
    "The winger crossed the ball and the captain headed it in.": "sport",
    "Stir the rice slowly while you add the broth.": "cooking",
    "A blizzard will cover the north in deep snow.": "weather",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The best label of a text, and its probability."""

    text: str
    label: str
    score: float

    @property
    def is_right(self) -> bool:
        """True if the label is the expected one."""
        return TEXTS[self.text] == self.label

    def __str__(self) -> str:
        return f"{self.label:8} {self.score:.3f}  {self.text}"


def classify(address: str, model_name: str) -> list[Answer]:
    """Sends all texts in one batch; `address` is host:port of the HTTP endpoint."""
    tensor = client.InferInput("text_input", [len(TEXTS), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in TEXTS], dtype=np.object_))
    with client.InferenceServerClient(address) as server:
        answer = server.infer(model_name, [tensor])
    predicts, scores = answer.as_numpy("predicts"), answer.as_numpy("scores")
    return [
        Answer(text=text, label=predicts[row][0].decode("utf-8"), score=float(scores[row][0]))
        for row, text in enumerate(TEXTS)
    ]


if __name__ == "__main__":
    address, model_name = [*sys.argv[1:], *("127.0.0.1:8000", "topics")[len(sys.argv) - 1 :]]
    print(*classify(address, model_name), sep="\n")
