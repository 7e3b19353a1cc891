"""Labels: one right label for each text, or any number of them."""

from collections import Counter
from collections.abc import Sequence

from utils.evaluation.kind import (
    Answer,
    ConfusedPair,
    Confusion,
    EvalRow,
    Kind,
    LabelFigures,
    Measured,
    Tensors,
    texts_of,
)
from utils.evaluation.records import Record

# The largest confusion matrix, and the most confused pairs that are kept.
MOST_LABELS, MOST_PAIRS = 20, 20
# A label of several is given if its score is above this, as in the pipeline of transformers.
THRESHOLD = 0.5
CANDIDATES = "candidate_labels"
OUTPUTS = ("predicts", "scores")


def read_label(record: Record, inputs: Sequence[str], labels: Sequence[str]) -> EvalRow:
    """Texts and the right label: its text, or its number."""
    right = record.label("label", record.values["label"], labels)
    return EvalRow(line=record.line, examples=(texts_of(record, inputs),), right=Answer(texts=(right,)))


def read_labels(record: Record, inputs: Sequence[str], labels: Sequence[str]) -> EvalRow:
    """Texts and a list of right labels, which may be empty."""
    right = tuple(dict.fromkeys(record.label("label", each, labels) for each in record.texts("labels")))
    return EvalRow(line=record.line, examples=(texts_of(record, inputs),), right=Answer(texts=right))


def read_candidates(record: Record, _: Sequence[str], __: Sequence[str], *, is_multi_label: bool = True) -> EvalRow:
    """A text, candidate labels, and the right ones of them, or the right one."""
    candidates = record.texts(CANDIDATES)
    if not candidates or len(set(candidates)) < len(candidates) or not all(each.strip() for each in candidates):
        raise record.error(f"must hold {CANDIDATES}: a list of different labels that are not empty")
    example = {"text_input": record.text("text_input", filled=True), CANDIDATES: list(candidates)}
    right = record.texts("labels") if is_multi_label else (record.text("label"),)
    for each in right:
        if each not in candidates:
            raise record.error(f"has the label {each[:60]!r}, which is not one of its {CANDIDATES}")
    return EvalRow(line=record.line, examples=(example,), right=Answer(texts=tuple(dict.fromkeys(right))))


def best(answers: Sequence[Tensors]) -> Answer:
    """The best label and its score."""
    (answer,) = answers
    return Answer(texts=(str(answer["predicts"].data[0]),), scores=(float(answer["scores"].data[0]),))


def decided(answers: Sequence[Tensors]) -> Answer:
    """The labels whose score is above THRESHOLD, and their scores."""
    (answer,) = answers
    pairs = zip(answer["predicts"].data, answer["scores"].data, strict=True)
    chosen = [(str(label), float(score)) for label, score in pairs if score > THRESHOLD]
    return Answer(texts=tuple(label for label, _ in chosen), scores=tuple(score for _, score in chosen))


def measure_label(rows: Sequence[EvalRow], answers: Sequence[Answer], *, calibrated: bool = True) -> Measured:
    """Accuracy, F1, confusion. `calibrated`: scores are probabilities."""
    from sklearn.metrics import accuracy_score, f1_score

    right = [row.right.texts[0] for row in rows]
    predicted = [answer.texts[0] for answer in answers]
    scores = [answer.scores[0] for answer in answers]
    same = [one == other for one, other in zip(right, predicted, strict=True)]
    return Measured(
        metrics={
            "accuracy": float(accuracy_score(right, predicted)),
            "f1_macro": float(f1_score(right, predicted, average="macro", zero_division=0)),
            "f1_weighted": float(f1_score(right, predicted, average="weighted", zero_division=0)),
        },
        losses=tuple(0.0 if is_right else 1 + max(0.0, score) for is_right, score in zip(same, scores, strict=True)),
        confidences=tuple(zip(scores, same, strict=True)) if calibrated else (),
        by_label=_by_label(right, predicted, sorted({*right, *predicted})),
        confusion=_confusion(right, predicted),
    )


def measure_labels(rows: Sequence[EvalRow], answers: Sequence[Answer]) -> Measured:
    """Exact match of the set of labels, and F1 of labels. Each label that is given has a confidence."""
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    right, predicted = [row.right.texts for row in rows], [answer.texts for answer in answers]
    named = sorted({label for labels in (*right, *predicted) for label in labels}) or [""]
    # Further columns, without a label: scikit-learn takes a matrix of one column for another kind of answer.
    binary = MultiLabelBinarizer(classes=[*named, None, False], sparse_output=True)
    one, other = binary.fit_transform(right), binary.transform(predicted)
    averages, which = ("micro", "macro", "weighted"), list(range(len(named)))
    return Measured(
        metrics={
            "accuracy": float(accuracy_score(one, other)),
            **{
                f"f1_{each}": float(f1_score(one, other, labels=which, average=each, zero_division=0))
                for each in averages
            },
        },
        losses=tuple(float(len({*a} ^ {*b})) for a, b in zip(right, predicted, strict=True)),
        confidences=tuple(
            (score, label in row.right.texts)
            for row, answer in zip(rows, answers, strict=True)
            for label, score in zip(answer.texts, answer.scores, strict=True)
        ),
        by_label=_by_label(one, other, named),
    )


def _by_label(right: object, predicted: object, labels: Sequence[str]) -> tuple[LabelFigures, ...]:
    """Of each label. `right` and `predicted` are labels, or binary matrices whose columns are `labels`."""
    from sklearn.metrics import precision_recall_fscore_support

    which = list(labels) if isinstance(right, list) else list(range(len(labels)))
    figures = precision_recall_fscore_support(right, predicted, labels=which, zero_division=0)
    return tuple(
        LabelFigures(label=label, precision=float(one), recall=float(two), f1=float(three), support=int(four))
        for label, one, two, three, four in zip(labels, *figures, strict=True)
    )


def _confusion(right: Sequence[str], predicted: Sequence[str]) -> Confusion:
    """The matrix, if it is not too large, and the pairs that are confused most."""
    from sklearn.metrics import confusion_matrix

    named = sorted({*right, *predicted})
    wrong = Counter(pair for pair in zip(right, predicted, strict=True) if pair[0] != pair[1])
    pairs = sorted(wrong.items(), key=lambda each: (-each[1], each[0]))[:MOST_PAIRS]
    counts = [[len(right)]]  # of one label; scikit-learn warns of it
    if len(named) > 1:
        counts = confusion_matrix(right, predicted, labels=named).tolist() if len(named) <= MOST_LABELS else []
    return Confusion(
        labels=tuple(named) if counts else (),
        counts=tuple(tuple(row) for row in counts),
        pairs=tuple(ConfusedPair(right=one, given=other, count=count) for (one, other), count in pairs),
    )


LABEL = Kind(
    name="label",
    right="label",
    outputs=OUTPUTS,
    headline="accuracy",
    read=read_label,
    extract=best,
    measure=measure_label,
)
LABELS = Kind(
    name="labels",
    right="labels",
    outputs=OUTPUTS,
    headline="accuracy",
    read=read_labels,
    extract=decided,
    measure=measure_labels,
)
