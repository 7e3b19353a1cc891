"""The one table of tasks. A new task is one file with its row here and at most one component folder."""

from utils.convert.task import Task, TaskOption
from utils.host.numbers import require_known
from utils.tasks import (
    feature_extraction,
    logits,
    ocr,
    onnx,
    question_answering,
    sparse_embedding,
    text_classification,
    text_pair_classification,
    text_ranking,
    token_classification,
    zero_shot_classification,
)

ROWS = (
    text_classification,
    text_pair_classification,
    text_ranking,
    token_classification,
    feature_extraction,
    sparse_embedding,
    question_answering,
    zero_shot_classification,
    logits,
    onnx,
    ocr,
)
TASKS: dict[str, Task] = {module.TASK.name: module.TASK for module in ROWS}
DEFAULT_TASK = "text-classification"


def find_task(name: str) -> Task:
    """The row called `name`; UsageError with the known names."""
    return TASKS[require_known("--task", name, TASKS)]


def task_options() -> dict[str, TaskOption]:
    """The options of all tasks, by name."""
    return {option.name: option for task in TASKS.values() for option in task.options}
