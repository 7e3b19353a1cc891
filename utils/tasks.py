"""The one table of tasks. A task is one row: what is exported, which Auto class is the original, which steps serve it.

A new task is one row here and at most one component folder in model_repository/.
"""

from dataclasses import dataclass

from utils.errors import UsageError
from utils.tensors import TensorSpec

# How logits become scores, by what the head was trained for. Source: transformers' text-classification pipeline,
# and, for one output without a problem_type, the loss that sequence-classification models then use (regression).
SCORE_FUNCTIONS = {
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
    "regression": "none",
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row of the table.

    `components` are folders of model_repository/, in the order in which a request passes them; `graph_step` is
    the one among them that runs the exported graph. `inputs` and `outputs` are the served API; -1 in `outputs`
    stands for K, the number of labels in an answer.
    """

    name: str
    export_task: str
    auto_class: str
    components: tuple[str, ...]
    graph_step: str
    graph_output: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


TASKS = {
    task.name: task
    for task in (
        Task(
            name="text-classification",
            export_task="text-classification",
            auto_class="AutoModelForSequenceClassification",
            components=("text_preprocessing", "model_onnx", "post_processing"),
            graph_step="model_onnx",
            graph_output="logits",
            inputs=(TensorSpec(name="text_input", dtype="BYTES", dims=(1,)),),
            outputs=(
                TensorSpec(name="predicts", dtype="BYTES", dims=(-1,)),
                TensorSpec(name="scores", dtype="FP32", dims=(-1,)),
            ),
        ),
    )
}
DEFAULT_TASK = "text-classification"


def find_task(name: str) -> Task:
    """The row called `name`; UsageError listing the rows there are."""
    if name not in TASKS:
        raise UsageError(f"--task {name!r} is not known; choose one of: {', '.join(TASKS)}")
    return TASKS[name]


def internal_model_names() -> set[str]:
    """Names that steps take in a model repository; a served model cannot have one of them."""
    return {component for task in TASKS.values() for component in task.components}
