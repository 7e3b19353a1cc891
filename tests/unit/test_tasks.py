import pytest

from utils.errors import UsageError
from utils.model_config import read_model_config
from utils.tasks import DEFAULT_TASK, SCORE_FUNCTIONS, TASKS, find_task


def test_the_default_is_one_of_them():
    assert find_task(DEFAULT_TASK) is TASKS[DEFAULT_TASK]


@pytest.mark.parametrize("name", ["", "fill-mask", "Text-Classification", "text_classification"])
def test_an_unknown_task_is_refused_with_those_there_are(name):
    with pytest.raises(UsageError) as refusal:
        find_task(name)
    assert refusal.value.exit_code == 2
    assert f"--task {name!r}" in str(refusal.value)
    assert ", ".join(TASKS) in str(refusal.value)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_graph_is_run_by_one_of_the_steps(task):
    assert task.graph_step in task.components
    assert len(set(task.components)) == len(task.components)


def test_the_served_api_of_text_classification():
    """Part of the promise to clients; a change here is a change of the API."""
    task = TASKS["text-classification"]
    assert [str(tensor) for tensor in task.inputs] == ["text_input BYTES [1]"]
    assert [str(tensor) for tensor in task.outputs] == ["predicts BYTES [-1]", "scores FP32 [-1]"]


@pytest.mark.parametrize("problem_type", SCORE_FUNCTIONS)
def test_every_problem_type_with_scores_can_be_read_from_a_config(tmp_path, problem_type):
    (tmp_path / "config.json").write_text(f'{{"model_type": "bert", "problem_type": "{problem_type}"}}')
    assert read_model_config(tmp_path).problem_type == problem_type
