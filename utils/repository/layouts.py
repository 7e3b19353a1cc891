"""How a task's steps become Triton models: one row a layout. Same name, same inputs, same outputs in each."""

from collections.abc import Callable
from dataclasses import replace

from utils.repository.pipeline import Ingredients, Pipeline, Step


def _ensemble(ingredients: Ingredients, steps: tuple[Step, ...]) -> Pipeline:
    """One Triton model a step; Triton's ensemble scheduler carries the tensors from each to those after it."""
    return Pipeline(
        model_name=ingredients.model_name,
        max_batch_size=min(step.max_batch_size for step in steps),
        layout="ensemble",
        inputs=ingredients.inputs,
        outputs=ingredients.outputs,
        steps=steps,
    )


def _fused(ingredients: Ingredients, steps: tuple[Step, ...]) -> Pipeline:
    """One Triton model that does what all steps of the ensemble do."""
    return replace(_direct(ingredients, steps), layout="fused")


def _direct(ingredients: Ingredients, steps: tuple[Step, ...]) -> Pipeline:
    """The first step is the served model; it calls the others, or they stand beside it."""
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
