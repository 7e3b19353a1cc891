"""How a task's steps become Triton models: one row a layout. Same name, same inputs, same outputs in each."""

from collections.abc import Callable
from dataclasses import replace

from utils.pipeline import Ingredients, Pipeline, Step, with_answers_of
from utils.tasks import Task
from utils.tensors import TensorSpec


def _text_preprocessing(ingredients: Ingredients) -> Step:
    return Step(
        model_name="text_preprocessing",
        component="text_preprocessing",
        inputs=(),
        outputs=ingredients.graph.inputs,
        files={"tokenizer.json": ingredients.tokenizer_file},
        documents={"settings.json": dict(ingredients.tokenization)},
    )


def _model_onnx(ingredients: Ingredients) -> Step:
    return Step(
        model_name="model_onnx",
        component="model_onnx",
        inputs=ingredients.graph.inputs,
        outputs=ingredients.graph.outputs,
        instance_kind=ingredients.graph_instance_kind,
        files=ingredients.graph.files,
    )


def _post_processing(ingredients: Ingredients) -> Step:
    return Step(
        model_name="post_processing",
        component="post_processing",
        inputs=ingredients.graph.outputs,
        outputs=(),
        documents={
            "settings.json": {"score_function": ingredients.score_function, "top_k": ingredients.top_k},
            "id2label.json": {str(index): label for index, label in enumerate(ingredients.labels)},
        },
    )


# component folder -> what it is given
COMPONENTS: dict[str, Callable[[Ingredients], Step]] = {
    "text_preprocessing": _text_preprocessing,
    "model_onnx": _model_onnx,
    "post_processing": _post_processing,
}


def _ensemble(task: Task, model_name: str, max_batch_size: int, ingredients: Ingredients) -> Pipeline:
    """One Triton model a step; Triton's ensemble scheduler carries the tensors from each to the next."""
    inputs, outputs = task.inputs, with_answers_of(task.outputs, ingredients.top_k)
    steps = tuple(_ends_filled(COMPONENTS[name](ingredients), inputs, outputs) for name in task.components)
    return Pipeline(
        model_name=model_name,
        max_batch_size=max_batch_size,
        layout="ensemble",
        inputs=inputs,
        outputs=outputs,
        steps=steps,
    )


def _ends_filled(step: Step, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> Step:
    """A step that leaves its inputs open takes the served API's, one that leaves its outputs open gives them."""
    return replace(step, inputs=step.inputs or inputs, outputs=step.outputs or outputs)


LAYOUTS: dict[str, Callable[[Task, str, int, Ingredients], Pipeline]] = {"ensemble": _ensemble}
DEFAULT_LAYOUT = "ensemble"
