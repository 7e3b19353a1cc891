"""Applies tuning values to the steps of a pipeline that run a graph."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from utils.host.errors import UsageError
from utils.repository.pipeline import Pipeline, Step
from utils.targets.formats import FORMATS
from utils.targets.tuning import Tuning

# The components that run a graph.
COMPUTING = ("fused", *(row.component for row in FORMATS.values()))
SETTINGS = "settings.json"
# The tuning values that a step has in its config, and those in its settings.json, if it has one.
IN_CONFIG = ("threads", "instances", "batch_delay")
IN_SETTINGS = ("threads", "token_budget")


def tuned(pipeline: Pipeline, tuning: Tuning) -> Pipeline:
    """The pipeline with `tuning` applied to every step that runs a graph; values that are not set stay.

    UsageError for a batch delay if no step takes batches, which for a ready graph only its file shows.
    """
    if tuning.batch_delay is not None and not takes_batches(pipeline):
        raise UsageError(
            f"--batch-delay {tuning.batch_delay} has no effect: the graph takes one row at a time; omit it"
        )
    return replace(pipeline, steps=tuple(_tuned(step, tuning.values) for step in pipeline.steps))


def takes_batches(pipeline: Pipeline) -> bool:
    """Whether any step that runs a graph takes several rows at once."""
    return any(step.max_batch_size > 1 for step in computing(pipeline))


def computing(pipeline: Pipeline) -> tuple[Step, ...]:
    """The steps that run a graph."""
    return tuple(step for step in pipeline.steps if step.component in COMPUTING)


def _tuned(step: Step, values: Mapping[str, int]) -> Step:
    if step.component not in COMPUTING:
        return step
    documents: dict[str, Any] = dict(step.documents)
    if SETTINGS in documents:
        documents[SETTINGS] = {**documents[SETTINGS], **_named(values, IN_SETTINGS)}
    return replace(step, documents=documents, **_named(values, IN_CONFIG))


def _named(values: Mapping[str, int], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}
