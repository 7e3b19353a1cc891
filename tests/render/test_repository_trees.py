"""Whole rendered model repositories, compared with tests/render/expected/.

After a wanted change of a template, write the expected trees anew and read the difference before committing it:

    REGENERATE_EXPECTED=1 .venv/bin/python -m pytest tests/render
    git diff tests/render/expected

`files.txt` lists every file of a repository; of those that rendering writes, the text is kept too (config.pbtxt as
`<model>.config.pbtxt`, JSON documents as `<model>.<name>`).
"""

import json
import os
import shutil
from pathlib import Path

import pytest

from utils.repository.assemble import assemble
from utils.repository.check import check_repository, parse_config

EXPECTED = Path(__file__).parent / "expected"
REGENERATE = os.environ.get("REGENERATE_EXPECTED") == "1"

CASES = {
    "bert_three_inputs": {"model_name": "ensemble_model"},
    "distilbert_two_inputs": {
        "model_name": "support-topics.v2",
        "inputs": ("input_ids", "attention_mask"),
        "labels": ("negative", "positive"),
        "max_batch_size": 8,
        "top_k": 2,
    },
    "multi_label_all": {
        "model_name": "topics",
        "labels": ('say "hi"', "{{ jinja }} ${shell}", "two\nlines", "помощь", "고객 지원"),
        "score_function": "sigmoid",
        "top_k": 5,
        "max_batch_size": 16,
    },
    "gpu_int32_external_data": {
        "model_name": "topics",
        "dtype": "INT32",
        "instance_kind": "KIND_GPU",
        "pads_to_buckets": True,
        "external_files": ("model.onnx_data",),
        "max_batch_size": 64,
    },
    "gpu_tensorrt": {
        "instance_kind": "KIND_GPU",
        "pads_to_buckets": True,
        "engine": "tensorrt",
        "precision": "fp16",
        "max_batch_size": 32,
    },
    "regression_one_output": {
        "model_name": "grades",
        "inputs": ("input_ids", "attention_mask", "position_ids"),
        "labels": ("grade",),
        "score_function": "none",
        "max_batch_size": 1,
    },
    "token_classification": {
        "model_name": "entities",
        "task": "token-classification",
        "settings": {"aggregation": "simple"},
        "labels": ("O", "B-PER", "I-PER"),
        "logits": (-1, 3),
    },
    "text_pair_classification": {"model_name": "entailment", "task": "text-pair-classification", "top_k": 3},
    "text_ranking": {
        "model_name": "reranker",
        "task": "text-ranking",
        "settings": {"activation": "sigmoid"},
        "labels": (),
        "logits": (1,),
    },
}


def rendered_tree(repository):
    """{name in the expected folder: text}."""
    files = sorted(path for path in repository.rglob("*") if path.is_file())
    tree = {"files.txt": "".join(f"{path.relative_to(repository).as_posix()}\n" for path in files)}
    for path in files:
        model = path.relative_to(repository).parts[0]
        if path.name in ("config.pbtxt", "settings.json", "id2label.json"):
            tree[f"{model}.{path.name}"] = path.read_text(encoding="utf-8")
    return tree


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture
def repository(case, make_pipeline, tmp_path):
    return assemble(make_pipeline(**CASES[case]), tmp_path / "model_repository")


def test_the_tree_is_the_expected_one(case, repository):
    tree = rendered_tree(repository)
    folder = EXPECTED / case
    if REGENERATE:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in tree.items():
            (folder / name).write_text(text, encoding="utf-8")
    expected = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert sorted(tree) == sorted(expected)
    for name, text in expected.items():
        assert tree[name] == text, f"{case}/{name} differs; see this file's first lines if the change is wanted"


def test_every_config_parses_and_belongs_to_its_folder(case, repository):
    configs = {file.parent.name: parse_config(file) for file in repository.glob("*/config.pbtxt")}
    assert set(configs) == {path.name for path in repository.iterdir()}
    assert {name: config.name for name, config in configs.items()} == {name: name for name in configs}
    assert {config.max_batch_size for config in configs.values()} == {CASES[case].get("max_batch_size", 4)}


def test_the_tree_passes_the_check(case, repository):
    check_repository(repository, CASES[case].get("model_name", "ensemble_model"))


def test_the_labels_are_unchanged(case, repository):
    labels = CASES[case].get("labels", ("a", "b", "c"))
    found = [json.loads(file.read_text(encoding="utf-8")) for file in repository.glob("*/1/id2label.json")]
    assert found == ([{str(index): label for index, label in enumerate(labels)}] if labels else [])


def test_every_expected_tree_has_a_case():
    assert {path.name for path in EXPECTED.iterdir()} == set(CASES)
