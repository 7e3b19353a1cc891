"""Asks a served topics model three questions it has not seen.

`python -m examples.topics.ask [HOST:PORT [MODEL_NAME]]` prints label and score for each.
"""

import sys
from dataclasses import dataclass

import numpy as np
import tritonclient.http as client

QUESTIONS = {
    "The winger crossed the ball and the captain headed it in.": "sport",
    "Stir the rice slowly while you add the broth.": "cooking",
    "A blizzard will cover the north in deep snow.": "weather",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The best label of a question, and its probability."""

    question: str
    label: str
    score: float

    @property
    def is_right(self) -> bool:
        """True when a person would have said so."""
        return QUESTIONS[self.question] == self.label

    def __str__(self) -> str:
        return f"{self.label:8} {self.score:.3f}  {self.question}"


def ask(address: str, model_name: str) -> list[Answer]:
    """All questions in one batch; `address` is host:port of the HTTP endpoint."""
    tensor = client.InferInput("text_input", [len(QUESTIONS), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[question.encode()] for question in QUESTIONS], dtype=np.object_))
    with client.InferenceServerClient(address) as server:
        answer = server.infer(model_name, [tensor])
    predicts, scores = answer.as_numpy("predicts"), answer.as_numpy("scores")
    return [
        Answer(question=question, label=predicts[row][0].decode("utf-8"), score=float(scores[row][0]))
        for row, question in enumerate(QUESTIONS)
    ]


if __name__ == "__main__":
    given = sys.argv[1:]
    print(*ask(given[0] if given else "127.0.0.1:8000", given[1] if len(given) > 1 else "topics"), sep="\n")
