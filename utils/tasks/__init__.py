"""The one table of tasks. A new task is one file with its row here and at most one component folder."""

from utils.errors import UsageError
from utils.tasks import text_classification, text_pair_classification, text_ranking, token_classification
from utils.tasks.task import Task, TaskOption

TASKS: dict[str, Task] = {
    module.TASK.name: module.TASK
    for module in (
        text_classification,
        text_pair_classification,
        text_ranking,
        token_classification,
    )
}
DEFAULT_TASK = "text-classification"


def find_task(name: str) -> Task:
    """The row called `name`; UsageError listing the rows there are."""
    if name not in TASKS:
        raise UsageError(f"--task {name!r} is not known; choose one of: {', '.join(TASKS)}")
    return TASKS[name]


def task_options() -> dict[str, TaskOption]:
    """Every option that some task has, by name."""
    return {option.name: option for task in TASKS.values() for option in task.options}
