"""Asks a served topics model three questions it has not seen, and says whether the answers are right.

`python -m examples.topics.ask [HOST:PORT] [MODEL_NAME]`
"""

import sys

import numpy as np
import tritonclient.http as client

QUESTIONS = {
    "The winger crossed the ball and the captain headed it in.": "sport",
    "Stir the rice slowly while you add the broth.": "cooking",
    "A blizzard will cover the north in deep snow.": "weather",
}


def ask(address: str, model_name: str) -> bool:
    """Prints label and score of each question; True when all labels are right."""
    tensor = client.InferInput("text_input", [len(QUESTIONS), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[question.encode()] for question in QUESTIONS], dtype=np.object_))
    with client.InferenceServerClient(address) as server:
        answer = server.infer(model_name, [tensor])
    labels = [row[0].decode("utf-8") for row in answer.as_numpy("predicts")]
    scores = [row[0] for row in answer.as_numpy("scores")]
    for question, label, score in zip(QUESTIONS, labels, scores, strict=True):
        print(f"{label:8} {score:.3f}  {question}")
    return labels == list(QUESTIONS.values())


if __name__ == "__main__":
    address, model_name = [*sys.argv[1:], "127.0.0.1:8000", "topics"][-2:] if len(sys.argv) < 2 else sys.argv[1:3]
    sys.exit(0 if ask(address, model_name) else 1)
