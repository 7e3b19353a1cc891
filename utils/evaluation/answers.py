"""Answers of question answering: exact match and F1 of words, by the rules of SQuAD."""

from collections.abc import Sequence

from utils.evaluation.kind import Answer, EvalRow, Kind, Measured, Tensors
from utils.evaluation.records import Record

RIGHT = "answers"


def read(record: Record, inputs: Sequence[str], _: Sequence[str]) -> EvalRow:
    """A question, a context and all answers that are allowed; none where the context has no answer.

    The form of SQuAD, {"text": [...], "answer_start": [...]}, is read too.
    """
    value = record.values.get(RIGHT)
    if isinstance(value, dict):
        record = Record(file=record.file, line=record.line, values={**record.values, RIGHT: value.get("text")})
    example = {name: record.text(name, filled=True) for name in inputs}
    right = tuple(dict.fromkeys(each for each in record.texts(RIGHT) if each.strip()))
    return EvalRow(line=record.line, examples=(example,), right=Answer(texts=right))


def extract(answers: Sequence[Tensors]) -> Answer:
    """The answering text, empty where the model finds none, and its score."""
    (answer,) = answers
    return Answer(texts=(str(answer["answer"].data[0]),), scores=(float(answer["score"].data[0]),))


def measure(rows: Sequence[EvalRow], answers: Sequence[Answer]) -> Measured:
    """The best match with an allowed answer, averaged; words without case, punctuation and articles."""
    from transformers.data.metrics.squad_metrics import compute_exact, compute_f1

    exact, f1 = [], []
    for row, answer in zip(rows, answers, strict=True):
        allowed = row.right.texts or ("",)
        exact.append(max(int(compute_exact(each, answer.texts[0])) for each in allowed))
        f1.append(max(float(compute_f1(each, answer.texts[0])) for each in allowed))
    return Measured(
        metrics={"f1": sum(f1) / len(rows), "exact_match": sum(exact) / len(rows)},
        losses=tuple(1 - each for each in f1),
        confidences=tuple((answer.scores[0], bool(each)) for answer, each in zip(answers, exact, strict=True)),
    )


ANSWERS = Kind(
    name="answers",
    right=RIGHT,
    outputs=("answer", "score", "start", "end"),
    headline="f1",
    read=read,
    extract=extract,
    measure=measure,
)
