"""A plan with the values of tuning applied to the steps that run a graph."""

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
# Of a step that computes: what its config says, and what its own settings do, where it has any.
IN_CONFIG = ("threads", "instances", "batch_delay")
IN_SETTINGS = ("threads", "token_budget")


def tuned(pipeline: Pipeline, tuning: Tuning) -> Pipeline:
    """The plan with every step that computes set so; what is not given stays as it is.

    UsageError for a delay where no step takes batches: whether a ready graph does, only the graph tells.
    """
    if tuning.batch_delay is not None and not takes_batches(pipeline):
        raise UsageError(
            f"--batch-delay {tuning.batch_delay} has no effect: the graph takes one row at a time; leave it out"
        )
    return replace(pipeline, steps=tuple(_tuned(step, tuning.values) for step in pipeline.steps))


def takes_batches(pipeline: Pipeline) -> bool:
    """Does any step that computes take several rows in a run?"""
    return any(step.max_batch_size > 1 for step in computing(pipeline))


def computing(pipeline: Pipeline) -> tuple[Step, ...]:
    """The steps that run a graph."""
    return tuple(step for step in pipeline.steps if step.component in COMPUTING)


def _tuned(step: Step, given: Mapping[str, int]) -> Step:
    if step.component not in COMPUTING:
        return step
    documents: dict[str, Any] = dict(step.documents)
    if SETTINGS in documents:
        documents[SETTINGS] = {**documents[SETTINGS], **_named(given, IN_SETTINGS)}
    return replace(step, documents=documents, **_named(given, IN_CONFIG))


def _named(given: Mapping[str, int], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}
