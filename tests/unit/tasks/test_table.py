"""utils/tasks/__init__.py: the table itself, and what every row of it must keep to."""

import json
from pathlib import Path

import pytest

from deploy.supervisor.comparison import COMPARISONS
from utils.convert.golden_pairs import request
from utils.convert.origins import ORIGINS
from utils.convert.task import ModelTask
from utils.host.errors import UsageError
from utils.repository.corpus import GOLDEN_TEXTS
from utils.repository.layouts import LAYOUTS
from utils.tasks import DEFAULT_TASK, TASKS, find_task, task_options

EVERY = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def test_the_default_is_one_of_them():
    assert find_task(DEFAULT_TASK) is TASKS[DEFAULT_TASK]


@pytest.mark.parametrize("name", ["", "no-such-task", "Text-Classification", "text_classification"])
def test_an_unknown_task_is_refused_with_those_there_are(name):
    with pytest.raises(UsageError) as refusal:
        find_task(name)
    assert refusal.value.exit_code == 2
    assert f"--task {name!r}" in str(refusal.value)
    assert ", ".join(TASKS) in str(refusal.value)


@EVERY
def test_a_row_says_all_that_a_build_needs(task):
    assert TASKS[task.name] is task
    assert task.comparison in COMPARISONS
    assert task.layouts and set(task.layouts) <= set(LAYOUTS)
    assert all(task.layouts.values())
    assert task.origins and set(task.origins) <= set(ORIGINS)
    assert len({tensor.name for tensor in task.inputs}) == len(task.inputs)
    assert task.inputs or set(task.layouts) == {"direct"}  # then the graph's own are served


@EVERY
def test_the_row_stands_in_a_file_of_its_name(task):
    import utils.tasks

    file = Path(utils.tasks.__file__).with_name(f"{task.name.replace('-', '_')}.py")
    assert f'name="{task.name}"' in file.read_text(encoding="utf-8")


@EVERY
def test_every_golden_request_gives_a_value_for_each_served_input(task):
    assert isinstance(task, ModelTask) == ("transformers" in task.origins)
    if not isinstance(task, ModelTask) or task.requests:
        return  # the tensors are made of the graph's own: tests/server
    for example in task.examples:
        tensors = request(task, example)
        assert set(tensors) == {tensor.name for tensor in task.inputs}
        for spec in task.inputs:
            assert tensors[spec.name].datatype == spec.dtype
            assert len(tensors[spec.name].shape) == len(spec.dims)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if isinstance(task, ModelTask)])
def test_a_transformers_class_loads_the_original(name):
    import transformers

    assert hasattr(transformers, TASKS[name].auto_class)


def test_options_have_one_meaning_in_all_tasks_that_have_them():
    """They stand once on the command line and in --help."""
    having = [option for task in TASKS.values() for option in task.options]
    assert {option.name for option in having} == set(task_options())
    for option in having:
        known = task_options()[option.name]
        assert (option.help, option.metavar) == (known.help, known.metavar)
        assert option.name == option.name.lower().replace("-", "_")


def test_the_served_api_of_text_classification():
    """Part of the promise to clients; a change here is a change of the API."""
    task = TASKS["text-classification"]
    assert [str(tensor) for tensor in task.inputs] == ["text_input BYTES [1]"]
    outputs = task.outputs({"top_k": 3, "score_function": "softmax"}, None)
    assert [str(tensor) for tensor in outputs] == ["predicts BYTES [3]", "scores FP32 [3]"]
    assert [example["text_input"] for example in task.examples] == list(GOLDEN_TEXTS)
    assert json.dumps(task.examples)
