"""What the served steps of a pipeline count, by component: the families that each model.py names, and their values.

The families are those of model_repository/shared/metric_families.py. tests/server compares them with a running server.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from utils.proof.golden import TensorValue
from utils.repository.pipeline import Pipeline, Step
from utils.repository.served_code import load_shared

# Of one answer: its outputs, in the order of the pipeline's.
Outputs = Sequence[TensorValue]
Values = dict[str, list[Any]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """`families` of a step, by key, and the `values` of an answer for those that an answer has."""

    families: Callable[[Step], Mapping[str, Any]]
    values: Callable[[Step, Outputs], Values] = lambda _, __: {}


def families(pipeline: Pipeline) -> dict[str, Any]:
    """All families of the pipeline, by key."""
    return {key: family for step in pipeline.steps for key, family in _of(step).families(step).items()}


def values(pipeline: Pipeline, answers: Iterable[Mapping[str, TensorValue]]) -> Values:
    """What the answers would add to the families of labels and scores."""
    found: Values = {}
    for answer in answers:
        outputs = [answer[tensor.name] for tensor in pipeline.outputs]
        for step in pipeline.steps:
            for key, each in _of(step).values(step, outputs).items():
                found.setdefault(key, []).extend(each)
    return found


def _ranked_families(step: Step) -> dict[str, Any]:
    of = load_shared("metric_families")
    function = step.documents["settings.json"]["score_function"]
    return {**of.label_family(_labels(step)), **of.score_family(function)}


def _entity_families(step: Step) -> dict[str, Any]:
    of, aggregation = load_shared("metric_families"), step.documents["settings.json"]["aggregation"]
    named = load_shared("token_entities").entity_labels(_labels(step), aggregation)
    return {**of.label_family(named), **of.score_family()}


def labels(pipeline: Pipeline) -> list[str]:
    """The labels of the served model; none if it has no labels."""
    return next((_labels(step) for step in pipeline.steps if "id2label.json" in step.documents), [])


def _labels(step: Step) -> list[str]:
    return list(step.documents["id2label.json"].values())


def _best(_: Step, outputs: Outputs) -> Values:
    labels, scores = outputs
    return {"labels": [labels.data[0].encode("utf-8")], "scores": [scores.data[0]]}


def _entities(_: Step, outputs: Outputs) -> Values:
    found = [entity for text in outputs[0].data for entity in json.loads(text)]
    labels = [entity.get("entity") or entity["entity_group"] for entity in found]
    return {"labels": [label.encode("utf-8") for label in labels], "scores": [entity["score"] for entity in found]}


def _scores(place: int) -> Callable[[Step, Outputs], Values]:
    return lambda _, outputs: {"scores": [max(outputs[place].data)]}


def _texts(_: Step) -> dict[str, Any]:
    return dict(load_shared("metric_families").TEXT_FAMILIES)


def _whole_task(_: Step) -> dict[str, Any]:
    of = load_shared("metric_families")
    return {**of.TEXT_FAMILIES, **of.SECONDS_FAMILY, **of.score_family()}


def _splitting_task(step: Step) -> dict[str, Any]:
    return {key: family for key, family in _whole_task(step).items() if key != "truncated"}


def _ranking(step: Step) -> dict[str, Any]:
    return dict(load_shared("metric_families").score_family(step.documents["settings.json"]["activation"]))


def _fused(step: Step) -> dict[str, Any]:
    seconds = load_shared("metric_families").SECONDS_FAMILY
    return {**_texts(step), **seconds, **_answering(step).families(step)}


def _answering(step: Step) -> Measured:
    return ANSWERINGS[step.documents["settings.json"]["answering"]]


def _of(step: Step) -> Measured:
    return COMPONENTS.get(step.component, NOTHING)


NOTHING = Measured(families=lambda _: {})
LABELS = Measured(families=_ranked_families, values=_best)
RANKING = Measured(families=_ranking, values=_scores(0))
# By the shared module with which a fused step answers.
ANSWERINGS = {
    "ranked_labels": LABELS,
    "ranking_scores": RANKING,
    "pooled_embeddings": NOTHING,
    "sparse_weights": NOTHING,
}
COMPONENTS = {
    "fused": Measured(families=_fused, values=lambda step, outputs: _answering(step).values(step, outputs)),
    "text_preprocessing": Measured(families=_texts),
    "post_processing": LABELS,
    "text_ranking": RANKING,
    "token_classification": Measured(families=_entity_families, values=_entities),
    "question_answering": Measured(families=_splitting_task, values=_scores(1)),
    "zero_shot_classification": Measured(families=_whole_task, values=_scores(1)),
    "detection_preprocessing": Measured(families=lambda _: load_shared("metric_families").IMAGE_FAMILIES),
    "text_recognition_postprocessing": Measured(families=lambda _: load_shared("metric_families").WORD_FAMILIES),
}
