"""Whole rendered repositories that serve embeddings; the second is that of a published tutorial.

REGENERATE_EXPECTED=1 writes the expected trees anew, as in test_repository_trees.py.
"""

import os
import shutil
from pathlib import Path

import pytest

from tests.render.test_repository_trees import rendered_tree
from utils.convert.conversion import with_form
from utils.repository.assemble import assemble
from utils.repository.check import check_repository
from utils.repository.layouts import LAYOUTS
from utils.repository.pipeline import Graph, Ingredients
from utils.repository.serving import ServedNames
from utils.repository.tensors import TensorSpec
from utils.targets.formats import FORMATS, GraphForm
from utils.tasks import TASKS

EXPECTED = Path(__file__).parent / "expected_embeddings"
TASK = TASKS["feature-extraction"]
PLAIN = ServedNames()
TUTORIAL = ServedNames(inputs={"": "input_text"}, outputs={"": "output__0"}, steps={"text_preprocessing": "tokenizer"})
FIXED = GraphForm(format="torchscript", sequence_length=256, input_dtype="INT32")
CASES = {
    "onnx": ("ensemble", GraphForm(), PLAIN),
    "torchscript_tutorial": ("ensemble", GraphForm(format="torchscript"), TUTORIAL),
    "torchscript_fixed_int32": ("ensemble", FIXED, PLAIN),
    "fused": ("fused", GraphForm(), PLAIN),
}


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture
def repository(case, tmp_path):
    layout, form, names = CASES[case]
    file = FORMATS[form.format].file
    for name in (file, "tokenizer.json"):
        (tmp_path / name).write_bytes(f"stands for {name}".encode())
    graph = Graph(
        path=tmp_path / file,
        inputs=tuple(TensorSpec(name=name, dtype="INT64", dims=(-1,)) for name in ("input_ids", "attention_mask")),
        outputs=(TensorSpec(name="last_hidden_state", dtype="FP32", dims=(-1, 384)),),
        format=form.format,
    )
    modules = {"1_Pooling": {"type": "Pooling", "modes": ["mean"]}, "2_Normalize": {"type": "Normalize"}}
    settings = {"modules": modules, "normalize": False, "max_length": 96}
    padding = {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"}
    padding |= {"length": form.sequence_length} if form.sequence_length else {}
    ingredients = Ingredients(
        model_name="embedding",
        max_batch_size=8,
        inputs=names.of_inputs(TASK.inputs),
        outputs=names.of_outputs(TASK.outputs(settings, graph)),
        graphs={"model": with_form(graph, form)},
        graph_instance_kind="KIND_CPU",
        settings=settings,
        tokenizer_file=tmp_path / "tokenizer.json",
        tokenization={
            "max_length": 64,
            "truncation_side": "right",
            "padding": padding,
            "prompts": {"query": {"text": "query: ", "tokens": 0}, "document": {"text": "", "tokens": 0}},
            "default_prompt": None,
        },
        step_names=names.steps,
    )
    steps = tuple(make(ingredients) for make in TASK.layouts[layout])
    return assemble(LAYOUTS[layout](ingredients, steps), tmp_path / "model_repository")


def test_the_tree_is_the_expected_one(case, repository):
    tree, folder = rendered_tree(repository), EXPECTED / case
    if os.environ.get("REGENERATE_EXPECTED") == "1":
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in tree.items():
            (folder / name).write_text(text, encoding="utf-8")
    assert tree == {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_the_tree_passes_the_check(repository):
    check_repository(repository, "embedding")


def test_every_expected_tree_has_a_case():
    assert {path.name for path in EXPECTED.iterdir()} == set(CASES)
