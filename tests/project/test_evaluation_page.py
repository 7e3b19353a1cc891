"""docs/evaluation.md: each file on the page is read for its task, and the table names the tasks that take one.

tests/server/test_baseline.py runs its command.
"""

import re

import pytest

from utils import ROOT
from utils.convert.task import ModelTask
from utils.evaluation.eval_file import EvalFile
from utils.evaluation.records import digest_of
from utils.tasks import TASKS

PAGE = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
FILES = re.findall(r"`(\w+\.\w+)` for .*?```\w+\n(.*?)```", PAGE, flags=re.DOTALL)
KINDS = {
    "validation.tsv": ("label", ("text_input",), ("sport", "weather")),
    "ratings.csv": ("similarity", ("text_input",), ()),
    "questions.jsonl": ("answers", ("question", "context"), ()),
    "entities.jsonl": ("entities", ("text_input",), ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")),
}


@pytest.mark.parametrize(("name", "content"), FILES, ids=[name for name, _ in FILES])
def test_a_file_of_the_page(tmp_path, name, content):
    kind, inputs, labels = KINDS[name]
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    rows = EvalFile(file=file, kind_name=kind, inputs=inputs, labels=labels, digest=digest_of(file)).rows()
    assert len(rows) == 2
    if kind == "entities":
        assert rows[0].right.texts == rows[1].right.texts == ("PER", "LOC")


def test_all_files_are_tested():
    assert {name for name, _ in FILES} == set(KINDS)


def test_the_table_has_the_tasks_with_right_answers():
    having = {name for name, task in TASKS.items() if isinstance(task, ModelTask) and task.right_answers}
    named = set(re.findall(r"(?m)^\| `([a-z-]+)`.*\|$", PAGE.partition("## What is measured")[0]))
    assert named == having
