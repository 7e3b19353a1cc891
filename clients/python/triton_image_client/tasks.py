"""The tasks of the factory (docs/tasks.md): the tensors of each, and how the answer's arrays become values.

`decode` gets {usual name: array}, each with the rows of the request as its first dimension.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from triton_image_client.answers import Answer, Classification, Entity, SparseEmbedding, Word
from triton_image_client.calls import Array, Metadata, TensorSpec
from triton_image_client.errors import ModelError

Value = TypeVar("Value")
Arrays: TypeAlias = Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Task(Generic[Value]):
    """`inputs`: usual names, all BYTES. `outputs`: {usual name: datatype}. `binary`: the answer is many numbers."""

    name: str
    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    decode: Callable[[Arrays], list[Value]]
    binary: bool = False

    def tensors(self, model: Metadata, named: Mapping[str, str]) -> dict[str, TensorSpec]:
        """{usual name: the model's tensor}.

        `named` are names that the user gave. Others have the usual name, or are the only ones left of their datatype.
        Raises ModelError if the model is not of this task, or if tensors cannot be told apart.
        """
        inputs = _match(dict.fromkeys(self.inputs, "BYTES"), model.inputs, named)
        outputs = _match(self.outputs, model.outputs, named)
        if inputs is None or outputs is None:
            needed = [*(f"{name} BYTES" for name in self.inputs), "->"]
            needed += [f"{name} {datatype}" for name, datatype in self.outputs.items()]
            has = [*map(_say, model.inputs), "->", *map(_say, model.outputs)]
            raise ModelError(
                f"the model {model.name!r} does not have the tensors of {self.name}: it has {' '.join(has)}, and "
                f"{self.name} needs {' '.join(needed)}; use the class of the model's task, or name the tensors with "
                "tensors={'usual name': 'its name'}"
            )
        return {**inputs, **outputs}


def _say(tensor: TensorSpec) -> str:
    return f"{tensor.name} {tensor.datatype}"


def _match(
    needed: Mapping[str, str], has: tuple[TensorSpec, ...], named: Mapping[str, str]
) -> dict[str, TensorSpec] | None:
    """{usual name: tensor}, or None."""
    left = {tensor.name: tensor for tensor in has}
    found: dict[str, TensorSpec] = {}
    for usual, datatype in needed.items():
        tensor = left.get(named.get(usual, usual))
        if tensor and tensor.datatype == datatype:
            found[usual] = left.pop(tensor.name)
    for usual, datatype in needed.items():
        if usual in found:
            continue
        fit = [tensor for tensor in left.values() if tensor.datatype == datatype]
        wanting = [name for name, kind in needed.items() if kind == datatype and name not in found]
        if usual in named or len(fit) != 1 or len(wanting) != 1:
            return None
        found[usual] = left.pop(fit[0].name)
    return None if left else found


def _texts(array: Array) -> tuple[str, ...]:
    return tuple(value.decode(errors="replace") for value in array.reshape(-1))


def _classifications(arrays: Arrays) -> list[Classification]:
    return [
        Classification(labels=_texts(labels), scores=tuple(map(float, scores)))
        for labels, scores in zip(arrays["predicts"], arrays["scores"], strict=True)
    ]


def _scores(arrays: Arrays) -> list[tuple[float, ...]]:
    return [tuple(map(float, row.reshape(-1))) for row in arrays["scores"]]


def _entities(arrays: Arrays) -> list[list[Entity]]:
    return [[_entity(each) for each in json.loads(row.reshape(-1)[0])] for row in arrays["entities"]]


def _entity(found: Mapping[str, Any]) -> Entity:
    """Of transformers' pipeline: `entity_group`, or with --aggregation none `entity` and `index`."""
    label = found["entity_group"] if "entity_group" in found else found["entity"]
    places = {name: found.get(name) for name in ("start", "end", "index")}
    return Entity(label=label, score=found["score"], word=found["word"], **places)


def _spans(arrays: Arrays) -> list[Answer]:
    columns = (arrays[name].reshape(-1) for name in ("answer", "score", "start", "end"))
    return [
        Answer(answer=answer.decode(errors="replace"), score=float(score), start=int(start), end=int(end))
        for answer, score, start, end in zip(*columns, strict=True)
    ]


def _sparse(arrays: Arrays) -> list[SparseEmbedding]:
    """Without the padding, index -1."""
    return [
        SparseEmbedding(indices=indices[indices >= 0], weights=weights[indices >= 0])
        for indices, weights in zip(arrays["indices"], arrays["weights"], strict=True)
    ]


def _words(arrays: Arrays) -> list[list[Word]]:
    return [
        [
            Word(text=text, score=float(score), box=box)
            for text, score, box in zip(_texts(words), scores, boxes, strict=True)
        ]
        for words, scores, boxes in zip(arrays["words"], arrays["scores"], arrays["boxes"], strict=True)
    ]


LABELLED = {"predicts": "BYTES", "scores": "FP32"}
CLASSIFICATION = Task(name="text-classification", inputs=("text_input",), outputs=LABELLED, decode=_classifications)
PAIR_CLASSIFICATION = Task(
    name="text-pair-classification", inputs=("text_input", "text_pair"), outputs=LABELLED, decode=_classifications
)
ZERO_SHOT = Task(
    name="zero-shot-classification",
    inputs=("text_input", "candidate_labels"),
    outputs=LABELLED,
    decode=_classifications,
)
RANKING = Task(name="text-ranking", inputs=("text_input", "text_pair"), outputs={"scores": "FP32"}, decode=_scores)
TOKEN_CLASSIFICATION = Task(
    name="token-classification", inputs=("text_input",), outputs={"entities": "BYTES"}, decode=_entities
)
QUESTION_ANSWERING = Task(
    name="question-answering",
    inputs=("question", "context"),
    outputs={"answer": "BYTES", "score": "FP32", "start": "INT64", "end": "INT64"},
    decode=_spans,
)
EMBEDDING: Task[Array] = Task(
    name="feature-extraction",
    inputs=("text_input",),
    outputs={"embedding": "FP32"},
    decode=lambda arrays: list(arrays["embedding"]),
    binary=True,
)
SPARSE_EMBEDDING = Task(
    name="sparse-embedding",
    inputs=("text_input",),
    outputs={"indices": "INT64", "weights": "FP32"},
    decode=_sparse,
    binary=True,
)
OCR = Task(
    name="ocr",
    inputs=("image",),
    outputs={"words": "BYTES", "boxes": "FP32", "scores": "FP32"},
    decode=_words,
    binary=True,
)
