"""The task and the engine of docs/extending.md, taken from the page and run. The storage: tests/unit/sources/storage.

The task is built and proven on a real Triton server. The engine's package is not in the serving environment, so its
session runs in this process, and only the plan of its build is made.
"""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from utils import ROOT, tasks
from utils.host import build_tree
from utils.host.errors import UsageError
from utils.make_triton_image import make_triton_image
from utils.proof.golden_file import read_golden
from utils.targets.engines import ENGINES, Engine

TEXT = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def block(words):
    return next(each for each in BLOCKS if words in each)


def load(folder, name, words):
    """The block of the page that has `words`, imported as a file of its own."""
    file = folder / f"{name}.py"
    file.write_text(block(words), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def built(tiny_bert, tmp_path_factory):
    """The result of a build of the task of the page: proven on a Triton server, or this fixture fails."""
    folder = tmp_path_factory.mktemp("extended")
    task = load(folder, "natural_language_inference", "natural-language-inference").TASK
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tasks.TASKS, task.name, task)
        patch.setattr(build_tree, "BUILD", folder / "build")
        model = str(tiny_bert)
        return json.loads(
            make_triton_image([model, model, "-", "relation", "v1", "4", "--task", task.name, "--no-image", "--json"])
        )


def test_the_task_is_served(built):
    repository = Path(built["model_repository"])
    config = (repository / "relation/config.pbtxt").read_text()
    assert re.findall(r'name: "(\w+)"', config.partition("output")[0])[-2:] == ["premise", "hypothesis"]
    golden = read_golden(repository.parent / "golden.json")
    assert all(set(row.inputs) == {"premise", "hypothesis"} for row in golden.rows)


def test_the_rows_of_the_page_have_the_form_of_the_code():
    assert "ROWS = (" in (ROOT / "utils/tasks/__init__.py").read_text()
    assert "natural-language-inference" not in tasks.TASKS, "choose another example for the page"


def test_the_engine_returns_what_onnx_runtime_returns(built, tmp_path, monkeypatch):
    folder = Path(built["model_repository"]) / "relation/1"
    settings = json.loads((folder / "settings.json").read_text())
    monkeypatch.syspath_prepend(ROOT / "model_repository/shared")
    session = load(tmp_path, "reference_session", "ReferenceEvaluator").GraphSession(folder / "model.onnx", settings)
    usual = importlib.import_module("onnxruntime_session").GraphSession(folder / "model.onnx", settings)
    assert session.dtypes == usual.dtypes
    numbers = np.random.default_rng(0)
    feeds = [{name: numbers.integers(0, 2, (3, 7)).astype(kind) for name, kind in usual.dtypes.items()}] * 2
    session.warm(feeds)
    for outputs, expected in zip(session.run(feeds), usual.run(feeds), strict=True):
        np.testing.assert_allclose(outputs[0], expected[0], atol=1e-5)
    places = [place for group, _ in session.batches([5, 3, 9]) for place in group]
    assert sorted(places) == [0, 1, 2]


def test_the_row_of_the_engine_makes_it_an_option(tiny_bert, monkeypatch):
    (row,) = eval(f"({block('Engine(name=')})", {"Engine": Engine})
    monkeypatch.setitem(ENGINES, row.name, row)
    model = str(tiny_bert)
    options = ["--engine", row.name, "--no-image", "--dry-run", "--json"]
    plan = json.loads(make_triton_image([model, model, "-", "topics", "v1", "4", *options]))
    assert plan["graph"]["engine"] == row.name
    with pytest.raises(UsageError) as caught:
        make_triton_image([model, model, "-", "topics", "v1", "4", *options, "--precision", "int8"])
    assert "fp32" in str(caught.value)
