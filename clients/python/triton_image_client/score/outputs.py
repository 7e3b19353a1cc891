"""What `score` asks and writes for each task: the columns that it reads, and those that it adds."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from triton_image_client import tasks
from triton_image_client.models import Model
from triton_image_client.tasks import Task

# Kinds of added columns, which the formats write in their own way.
TEXT, NUMBER, INTEGER, NUMBERS, INTEGERS, TEXTS = "text", "number", "integer", "numbers", "integers", "texts"


@dataclass(frozen=True, kw_only=True)
class Output:
    """`reads`: the default columns of the task's inputs. `adds`: {column: kind}. `cells`: an answer's values, in order.

    `adds_all`: columns that are added too if the model answers with several labels or scores.
    """

    task: Task[Any]
    reads: tuple[str, ...]
    adds: Mapping[str, str]
    cells: Callable[[Any], Sequence[Any]]
    adds_all: Mapping[str, str] | None = None

    def columns(self, model: Model[Any]) -> dict[str, str]:
        """{column: kind} for this model."""
        several = self.adds_all and model.tensors["scores"].shape[-1] != 1
        return {**self.adds, **(self.adds_all or {})} if several else dict(self.adds)


LABELLED: dict[str, Any] = {
    "adds": {"label": TEXT, "score": NUMBER},
    "adds_all": {"labels": TEXTS, "scores": NUMBERS},
    "cells": lambda answer: (answer.label, answer.score, answer.labels, answer.scores),
}
OUTPUTS = {
    output.task.name: output
    for output in (
        Output(task=tasks.CLASSIFICATION, reads=("text",), **LABELLED),
        Output(task=tasks.PAIR_CLASSIFICATION, reads=("text", "text_pair"), **LABELLED),
        Output(task=tasks.ZERO_SHOT, reads=("text",), **LABELLED),
        Output(
            task=tasks.RANKING,
            reads=("query", "text"),
            adds={"score": NUMBER},
            adds_all={"scores": NUMBERS},
            cells=lambda scores: (scores[0], scores),
        ),
        Output(
            task=tasks.TOKEN_CLASSIFICATION,
            reads=("text",),
            adds={"entities": TEXT},
            cells=lambda entities: (json.dumps([asdict(each) for each in entities], ensure_ascii=False),),
        ),
        Output(
            task=tasks.QUESTION_ANSWERING,
            reads=("question", "context"),
            adds={"answer": TEXT, "score": NUMBER, "start": INTEGER, "end": INTEGER},
            cells=lambda answer: (answer.answer, answer.score, answer.start, answer.end),
        ),
        Output(
            task=tasks.EMBEDDING,
            reads=("text",),
            adds={"embedding": NUMBERS},
            cells=lambda embedding: (embedding.tolist(),),
        ),
        Output(
            task=tasks.SPARSE_EMBEDDING,
            reads=("text",),
            adds={"indices": INTEGERS, "weights": NUMBERS},
            cells=lambda sparse: (sparse.indices.tolist(), sparse.weights.tolist()),
        ),
    )
}
