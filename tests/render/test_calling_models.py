"""Repositories whose served model calls the graph's model: whole rendered trees, and impossible calls.

REGENERATE_EXPECTED=1 writes the expected trees anew, as in test_repository_trees.py.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.render.test_repository_trees import rendered_tree
from utils.host.errors import RenderError
from utils.repository.assemble import assemble
from utils.repository.check import check_repository
from utils.repository.layouts import LAYOUTS
from utils.repository.pipeline import Graph, Ingredients
from utils.repository.tensors import TensorSpec
from utils.tasks import TASKS

EXPECTED = Path(__file__).parent / "expected_calls"
CASES = {
    "question-answering": (("start_logits", "end_logits"), (-1,), {"handle_impossible_answer": True}),
    "zero-shot-classification": (("logits",), (3,), {"multi_label": True}),
}
TOKENIZATION = {
    "max_length": 128,
    "truncation_side": "right",
    "padding": {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"},
    "cls_id": 2,
}


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture
def repository(case, tmp_path):
    names, dims, options = CASES[case]
    task = TASKS[case]
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_bytes(f"stands for {name}".encode())
    graph = Graph(
        path=tmp_path / "model.onnx",
        inputs=tuple(TensorSpec(name=name, dtype="INT64", dims=(-1,)) for name in ("input_ids", "attention_mask")),
        outputs=tuple(TensorSpec(name=name, dtype="FP32", dims=dims) for name in names),
    )
    settings = task.resolve_settings(None, ("contradiction", "neutral", "entailment"), options)
    ingredients = Ingredients(
        model_name="served",
        max_batch_size=8,
        inputs=task.inputs,
        outputs=task.outputs(settings, graph),
        graphs={"model": graph},
        graph_instance_kind="KIND_CPU",
        settings=settings,
        tokenizer_file=tmp_path / "tokenizer.json",
        tokenization=TOKENIZATION,
        step_names={"model_onnx": "graph"},
    )
    steps = tuple(make(ingredients) for make in task.layouts["direct"])
    return assemble(LAYOUTS["direct"](ingredients, steps), tmp_path / "model_repository")


def test_the_tree_is_the_expected_one(case, repository):
    tree, folder = rendered_tree(repository), EXPECTED / case
    if os.environ.get("REGENERATE_EXPECTED") == "1":
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in tree.items():
            (folder / name).write_text(text, encoding="utf-8")
    assert tree == {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_every_expected_tree_has_a_case():
    assert {path.name for path in EXPECTED.iterdir()} == set(CASES)


WRONG = {
    "another model": ({"model": "absent"}, "model 'served' calls 'absent', which is not in the repository"),
    "too many rows": ({"max_batch_size": 9}, "model 'served' calls 'graph' with 9 rows; its max_batch_size is 8"),
    "a tensor less": ({"inputs": {"input_ids": "TYPE_INT64"}}, "model 'served' calls 'graph' with inputs"),
    "another dtype": ({"outputs": {"logits": "TYPE_INT64"}}, "model 'served' calls 'graph' with outputs"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_impossible_call_is_refused(repository, wrong):
    change, sentence = WRONG[wrong]
    file = repository / "served/1/settings.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["graph"].update(change)
    file.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(RenderError) as caught:
        check_repository(repository, "served")
    assert sentence in str(caught.value)
