"""The layouts, which map a task's steps to Triton models. Every layout serves the same name, inputs and outputs."""

from collections.abc import Callable
from dataclasses import replace

from utils.repository.pipeline import Ingredients, Pipeline, Step


def _ensemble(ingredients: Ingredients, steps: tuple[Step, ...]) -> Pipeline:
    """One Triton model per step; Triton's ensemble scheduler passes the tensors between them."""
    return Pipeline(
        model_name=ingredients.model_name,
        max_batch_size=min(step.max_batch_size for step in steps),
        layout="ensemble",
        inputs=ingredients.inputs,
        outputs=ingredients.outputs,
        steps=steps,
    )


def _fused(ingredients: Ingredients, steps: tuple[Step, ...]) -> Pipeline:
    """One Triton model that performs all steps of the ensemble."""
    return replace(_direct(ingredients, steps), layout="fused")


def _direct(ingredients: Ingredients, steps: tuple[Step, ...]) -> Pipeline:
    """The first step is the served model; it calls the others, or they are served beside it."""
    first = replace(steps[0], model_name=ingredients.model_name)
    return Pipeline(
        model_name=first.model_name,
        max_batch_size=first.max_batch_size,
        layout="direct",
        inputs=first.inputs,
        outputs=first.outputs,
        steps=(first, *steps[1:]),
    )


LAYOUTS: dict[str, Callable[[Ingredients, tuple[Step, ...]], Pipeline]] = {
    "ensemble": _ensemble,
    "direct": _direct,
    "fused": _fused,
}
