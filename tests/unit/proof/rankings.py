"""Golden rankings of three texts, and the answers a server gives to them."""

from collections.abc import Iterable, Sequence

from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, texts
from utils.triton.address import ServerAddress

NOWHERE = ServerAddress(http="127.0.0.1:1", grpc="127.0.0.1:1")
PROTOCOLS = {"_infer_http": "HTTP", "_infer_json": "HTTP with JSON", "_infer_grpc": "gRPC"}
TEXTS = ("first", "second", "third")
LABELS = ("a", "b", "c")
Outputs = dict[str, TensorValue]
SCORES = ((0.7, 0.2, 0.1), (0.1, 0.3, 0.6), (0.2, 0.5, 0.3))


def answer(labels: Sequence[str], scores: Sequence[float]) -> Outputs:
    """One row, as it is served: labels and their scores."""
    return {"predicts": texts(labels), "scores": TensorValue(datatype="FP32", shape=(len(scores),), data=tuple(scores))}


def ranked(scores: Sequence[float], labels: Sequence[str], k: int | None) -> Outputs:
    best = sorted(range(len(labels)), key=lambda index: -scores[index])[:k]
    return answer([labels[index] for index in best], [scores[index] for index in best])


def golden_of(
    requested: Sequence[str] = TEXTS,
    labels: Sequence[str] = LABELS,
    scores: Sequence[Sequence[float]] = SCORES,
    model: str = "topics",
) -> GoldenAnswers:
    """The reference model's answers: all labels of each text, best first."""
    rows = tuple(
        GoldenRow(model=model, batched=True, inputs={"text_input": texts([text])}, outputs=ranked(row, labels, None))
        for text, row in zip(requested, scores, strict=True)
    )
    return GoldenAnswers(rows=rows, comparison="ranking")


def stacked(rows: Iterable[Outputs | None]) -> Outputs:
    """One response for several rows; a row that is None is left out."""
    present = [row for row in rows if row is not None]
    names = present[0] if present else answer([], [])
    return {
        name: TensorValue(
            datatype=names[name].datatype,
            shape=(len(present), *names[name].shape),
            data=tuple(value for row in present for value in row[name].data),
        )
        for name in names
    }
