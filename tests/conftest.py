"""What several kinds of tests share: pipelines without a model behind them, and the smallest real model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import tiny_models
from utils.host import loopback
from utils.repository.layouts import LAYOUTS
from utils.repository.pipeline import Graph, Ingredients
from utils.repository.tensors import TensorSpec
from utils.tasks import TASKS

# Tests build what is to be seen being built; those of the cache have one of their own.
os.environ["TRITON_FACTORY_CACHE_GB"] = "0"
loopback.keep_from_proxies()
TINY_LABELS = ("a", "b", "c")
SETTINGS = {
    "max_length": 128,
    "truncation_side": "right",
    "padding": {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"},
}


# Their files share what is dear to make: they go to one worker, and first, for they take longest.
TOGETHER = ("tests/server/faults/", "tests/image/")
LONG = (*TOGETHER, "tests/interruption/", "tests/benchmarks/", "tests/server/", "tests/examples/")


def pytest_collection_modifyitems(items):
    """What takes longest comes first, so that no worker is left with it at the end."""

    def rank(item):
        place = item.nodeid
        return next((rank for rank, folder in enumerate(LONG) if place.startswith(folder)), len(LONG))

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With several workers (run_tests.sh) a file is one worker's, so that its fixtures are made once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])

    return ByFile(config, log)


@pytest.fixture
def make_ingredients(tmp_path):
    """`make_ingredients(**changes)`: what steps are made of; the graph and the tokenizer are files of any content."""

    def make(
        *,
        folder: Path = tmp_path / "tree",
        inputs=("input_ids", "attention_mask", "token_type_ids"),
        dtype="INT64",
        labels=TINY_LABELS,
        model_name="ensemble_model",
        max_batch_size=4,
        instance_kind="KIND_CPU",
        pads_to_buckets=False,
        score_function="softmax",
        top_k=1,
        external_files=(),
        step_names=(),
        task="text-classification",
        settings=None,
        logits=None,
    ):
        artifacts = folder / "artifacts"
        artifacts.mkdir(parents=True, exist_ok=True)
        for name in ("model.onnx", "tokenizer.json", *external_files):
            (artifacts / name).write_bytes(f"stands for {name}".encode())
        graph = Graph(
            path=artifacts / "model.onnx",
            inputs=tuple(TensorSpec(name=name, dtype=dtype, dims=(-1,)) for name in inputs),
            outputs=(TensorSpec(name="logits", dtype="FP32", dims=logits or (len(labels),)),),
            external_files=tuple(external_files),
        )
        settings = settings or {"score_function": score_function, "top_k": top_k}
        return Ingredients(
            model_name=model_name,
            max_batch_size=max_batch_size,
            inputs=TASKS[task].inputs,
            outputs=TASKS[task].outputs(settings, graph),
            graphs={"model": graph},
            graph_instance_kind=instance_kind,
            pads_to_buckets=pads_to_buckets,
            settings=settings,
            labels=tuple(labels),
            tokenizer_file=artifacts / "tokenizer.json",
            tokenization=SETTINGS,
            step_names=dict(step_names),
        )

    return make


@pytest.fixture
def make_pipeline(make_ingredients):
    """`make_pipeline(**changes)`: a planned repository of such ingredients, by default for text classification."""

    def make(*, layout="ensemble", task="text-classification", **changes):
        ingredients = make_ingredients(task=task, **changes)
        return LAYOUTS[layout](ingredients, tuple(step(ingredients) for step in TASKS[task].layouts["ensemble"]))

    return make


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """A folder as save_pretrained() writes it: a random BERT of two layers with labels a, b and c, its tokenizer."""
    return tiny_models.bert(tmp_path_factory.mktemp("tiny bert") / "model", labels=TINY_LABELS)


@pytest.fixture
def start_child(tmp_path):
    """`start_child(code, *arguments)`: a Python child that can import utils; whatever still lives at the end is killed.

    Its stdin, stdout and stderr are pipes, in text mode.
    """
    root = Path(__file__).resolve().parent.parent
    # Unbuffered, Python lets the C library write through as well, and hides what its buffer would do.
    rest = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    children = []

    def start(code, *arguments):
        child = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**rest, "PYTHONPATH": str(root), "ORT_DISABLE_TELEMETRY": "1"},
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()
