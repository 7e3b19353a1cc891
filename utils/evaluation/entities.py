"""Entities: a type and the characters of a text. Measured by seqeval, strict IOB2."""

import json
from collections.abc import Sequence
from itertools import pairwise

from utils.evaluation.kind import Answer, EvalRow, Kind, LabelFigures, Measured, Tensors
from utils.evaluation.records import JSON_LINES, Record
from utils.repository.served_code import load_shared

Entity = tuple[int, int, str]
OUTSIDE = "O"


def read(record: Record, _: Sequence[str], labels: Sequence[str]) -> EvalRow:
    """A text and its entities, {"start", "end", "label"} in characters; or tokens and their tags.

    The text of tokens is the tokens joined by spaces.
    """
    if record.values.get("tokens") is not None:
        text, found = _tagged(record, labels)
    elif record.values.get("entities") is None:
        raise record.error("has neither text_input and entities nor tokens and tags")
    else:
        text = record.text("text_input")
        found = sorted(_entity(record, each, text, _types(labels)) for each in record.items("entities", (dict,)))
        for one, other in pairwise(found):
            if one[1] > other[0]:
                raise record.error(
                    f"has the entities {one[:2]} and {other[:2]}, which overlap; a model gives none such"
                )
    right = Answer(texts=tuple(each[2] for each in found), spans=tuple(each[:2] for each in found))
    return EvalRow(line=record.line, examples=({"text_input": text},), right=right)


def _types(labels: Sequence[str]) -> list[str]:
    """What served entities are called: labels without B- and I-."""
    return list(load_shared("token_entities").entity_labels(list(labels), "simple"))


def _entity(record: Record, value: dict[str, object], text: str, types: Sequence[str]) -> Entity:
    start, end, label = (value.get(name) for name in ("start", "end", "label"))
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        raise record.error(
            f"has an entity from {start} to {end}; it must be characters of the text, from 0 to {len(text)}"
        )
    return start, end, record.label("label", label, types)


def _tagged(record: Record, labels: Sequence[str]) -> tuple[str, list[Entity]]:
    """The text of tokens and the entities of their tags. A tag without B- or I- continues a neighbour of its type."""
    tokens = [str(each) for each in record.items("tokens", (str,))]
    tags = [_tag(record, each, labels) for each in record.items("tags", (str, int))]
    if len(tags) != len(tokens) or not tokens:
        raise record.error(f"has {len(tokens)} tokens and {len(tags)} tags; give one tag for each token")
    found: list[Entity] = []
    start, before = 0, OUTSIDE
    for token, tag in zip(tokens, tags, strict=True):
        end, kind = start + len(token), _type(tag)
        if tag.startswith("I-") and kind != _type(before):
            raise record.error(f"has the tag {tag} after {before}; an entity begins with B- (IOB2)")
        if tag != OUTSIDE and not tag.startswith("B-") and kind == _type(before):
            found[-1] = (found[-1][0], end, kind)
        elif tag != OUTSIDE:
            found.append((start, end, kind))
        start, before = end + 1, tag
    return " ".join(tokens), found


def _tag(record: Record, value: object, labels: Sequence[str]) -> str:
    """A tag: a label of the model or its number, or another tag of the same types."""
    tag = str(value)
    if tag == OUTSIDE or (tag[:2] in ("B-", "I-") and _type(tag) in _types(labels)):
        return tag
    return record.label("tag", value, labels)


def _type(tag: str) -> str:
    return tag.split("-", 1)[-1]


def extract(answers: Sequence[Tensors]) -> Answer:
    """The served entities. Tokens (--aggregation none) are joined as the pipeline joins them."""
    found: list[tuple[Entity, float]] = []
    last = -2
    for each in json.loads(answers[0]["entities"].data[0]):
        tag = each.get("entity") or each["entity_group"]
        entity = (int(each["start"]), int(each["end"]), _type(tag))
        joins = "index" in each and each["index"] == last + 1 and not tag.startswith("B-")
        if joins and found[-1][0][2] == entity[2]:
            found[-1] = ((found[-1][0][0], entity[1], entity[2]), min(found[-1][1], each["score"]))
        elif entity[0] < entity[1]:
            found.append((entity, each["score"]))
        last = each.get("index", -2)
    return Answer(
        texts=tuple(entity[2] for entity, _ in found),
        scores=tuple(float(score) for _, score in found),
        spans=tuple(entity[:2] for entity, _ in found),
    )


def measure(rows: Sequence[EvalRow], answers: Sequence[Answer]) -> Measured:
    """Precision, recall and F1 of entities. An entity is right if its type and both its ends are."""
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    pairs = [(_entities(row, row.right), _entities(row, answer)) for row, answer in zip(rows, answers, strict=True)]
    tags = [_tags(*pair) for pair in pairs]
    right, predicted = [one for one, _ in tags], [other for _, other in tags]
    if not any(tag != OUTSIDE for each in (*right, *predicted) for tag in each):  # seqeval needs an entity
        return Measured(metrics=dict.fromkeys(("f1", "precision", "recall")), losses=(0.0,) * len(rows))
    report = classification_report(right, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)
    names = {"f1": "f1-score", "precision": "precision", "recall": "recall"}
    averages = ("micro avg", "macro avg", "weighted avg")
    return Measured(
        metrics={
            **{name: float(report["micro avg"][key]) for name, key in names.items()},
            **{f"f1_{each[:-4]}": float(report[each]["f1-score"]) for each in averages[1:]},
        },
        losses=tuple(float(len({*one} ^ {*other})) for one, other in pairs),
        confidences=tuple(
            (score, entity in one)
            for (one, other), answer in zip(pairs, answers, strict=True)
            for entity, score in zip(other, answer.scores, strict=True)
        ),
        by_label=tuple(
            LabelFigures(
                label=label, support=int(each["support"]), **{name: float(each[key]) for name, key in names.items()}
            )
            for label, each in sorted(report.items())
            if label not in averages
        ),
    )


def _entities(row: EvalRow, answer: Answer) -> list[Entity]:
    """Those of an answer; spaces at the ends of a span, which some tokenizers count to a word, are left out."""
    (text,) = row.texts
    found = []
    for label, (start, end) in zip(answer.texts, answer.spans, strict=True):
        part = text[start:end]
        begin = start + len(part) - len(part.lstrip())
        found.append((begin, begin + len(part.strip()), label))
    return found


def _tags(right: Sequence[Entity], predicted: Sequence[Entity]) -> tuple[list[str], list[str]]:
    """IOB2 tags of the parts of a text between all ends of both: equal entities get equal tags, and only they."""
    ends = sorted({place for start, end, _ in (*right, *predicted) for place in (start, end)} | {0, 1})
    both = []
    for entities in (right, predicted):
        tags = [OUTSIDE] * (len(ends) - 1)
        for start, end, label in entities:
            for place in range(ends.index(start), ends.index(end)):
                tags[place] = f"{'B' if ends[place] == start else 'I'}-{label}"
        both.append(tags)
    return both[0], both[1]


ENTITIES = Kind(
    name="entities",
    right="entities",
    further=("tokens", "tags"),
    outputs=("entities",),
    headline="f1",
    read=read,
    extract=extract,
    measure=measure,
    suffixes=(JSON_LINES,),
)
