"""Whole rendered repositories of graph models: on GPUs by number, several models, several versions.

REGENERATE_EXPECTED=1 writes the expected trees anew, as in test_repository_trees.py.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.render.test_repository_trees import rendered_tree
from utils.repository.assemble import assemble
from utils.repository.check import check_repository, parse_config
from utils.repository.layouts import LAYOUTS
from utils.repository.pipeline import Graph, Ingredients
from utils.repository.steps import bare_graph, isolating_failures, step_of_graph
from utils.repository.tensors import TensorSpec
from utils.repository.version_policy import parse_policy

EXPECTED = Path(__file__).parent / "expected_graphs"
TOKENS = ("input_ids", "attention_mask", "token_type_ids")


def logits(file):
    inputs = tuple(TensorSpec(name=name, dtype="INT64", dims=(-1,)) for name in TOKENS)
    return Graph(path=file, inputs=inputs, outputs=(TensorSpec(name="logits", dtype="FP32", dims=(2,)),))


def detection(file):
    outputs = {"feature_fusion/Conv_7/Sigmoid:0": 1, "feature_fusion/concat_3:0": 5}
    return Graph(
        path=file,
        inputs=(TensorSpec(name="input_images:0", dtype="FP32", dims=(-1, -1, 3)),),
        outputs=tuple(TensorSpec(name=name, dtype="FP32", dims=(-1, -1, last)) for name, last in outputs.items()),
    )


def recognition(file):
    return Graph(
        path=file,
        batched=False,
        inputs=(TensorSpec(name="input.1", dtype="FP16", dims=(1, 1, 32, 100)),),
        outputs=(TensorSpec(name="308", dtype="BYTES", dims=(1, -1)),),
    )


def one_number_a_row(file):
    tensor = TensorSpec(name="x", dtype="BOOL", dims=(1,), reshape=())
    return Graph(path=file, inputs=(tensor,), outputs=(replace(tensor, name="y"),))


CASES = {
    "logits_on_two_gpus": {"graph": logits, "kind": "KIND_GPU", "gpus": (0, 1)},
    "on_every_gpu": {"graph": logits, "kind": "KIND_GPU"},
    "logits_on_a_cpu": {"graph": logits},
    "detection_and_recognition": {"graph": detection, "beside": {"text_recognition": recognition}},
    "one_number_a_row": {"graph": one_number_a_row},
    "three_versions": {"graph": logits, "version": 3, "earlier": ("1", "2"), "policy": "latest:2"},
}


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture
def repository(case, tmp_path):
    awaited = CASES[case]
    file = tmp_path / "model.onnx"
    file.write_text("stands for a graph")
    ingredients = Ingredients(
        model_name="served", max_batch_size=8, inputs=(), outputs=(), graphs={"model": awaited["graph"](file)},
        graph_instance_kind=awaited.get("kind", "KIND_CPU"), gpus=awaited.get("gpus", ()), settings={},
    )  # fmt: skip
    pipeline = LAYOUTS["direct"](ingredients, (bare_graph(ingredients),))
    others = {name: make(file) for name, make in awaited.get("beside", {}).items()}
    beside = [isolating_failures(step_of_graph(ingredients, graph, name)) for name, graph in others.items()]
    first = replace(
        pipeline.steps[0],
        version=awaited.get("version", 1),
        version_policy=str(parse_policy(awaited["policy"])) if "policy" in awaited else "",
        earlier={number: {"model.onnx": file} for number in awaited.get("earlier", ())},
    )
    return assemble(replace(pipeline, steps=(first, *beside)), tmp_path / "model_repository")


def test_the_tree_is_the_expected_one(case, repository):
    tree, folder = rendered_tree(repository), EXPECTED / case
    if os.environ.get("REGENERATE_EXPECTED") == "1":
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in tree.items():
            (folder / name).write_text(text, encoding="utf-8")
    assert tree == {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_triton_reads_the_expected_config(case, repository):
    check_repository(repository, "served")
    config, awaited = parse_config(repository / "served/config.pbtxt"), CASES[case]
    assert tuple(config.instance_group[0].gpus) == awaited.get("gpus", ())
    assert config.version_policy.latest.num_versions == (2 if "policy" in awaited else 0)
    assert {tensor.HasField("reshape") for tensor in config.input} == {case == "one_number_a_row"}
    for name, make in awaited.get("beside", {}).items():
        other = parse_config(repository / name / "config.pbtxt")
        assert other.max_batch_size == 0 and [each.name for each in other.input] == [make(None).inputs[0].name]


def test_every_expected_tree_has_a_case():
    assert {path.name for path in EXPECTED.iterdir()} == set(CASES)
