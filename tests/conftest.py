"""Shared by several kinds of tests: pipelines without a model, and the smallest real model."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import shared_conversions, tiny_models
from tests.selection import (  # noqa: F401 (hooks of pytest)
    pytest_collection_modifyitems,
    pytest_terminal_summary,
    pytest_testnodedown,
    pytest_xdist_make_scheduler,
)
from utils.host import loopback
from utils.repository.layouts import LAYOUTS
from utils.repository.pipeline import Graph, Ingredients, Pipeline
from utils.repository.tensors import TensorSpec
from utils.tasks import TASKS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser import Visitor

# The tests run side by side, and their models are tiny: on a busy machine a second thread of PyTorch waits in every
# operation, which makes a conversion ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A conversion in the process of a test is never taken from a cache. The tests of the cache have one of their own.
os.environ["TRITON_FACTORY_CACHE_GB"] = "0"
shared_conversions.create()
loopback.keep_from_proxies()
TINY_LABELS = ("a", "b", "c")
SETTINGS = {
    "max_length": 128,
    "truncation_side": "right",
    "padding": {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"},
}


@pytest.fixture
def make_ingredients(tmp_path: Path) -> Callable[..., Ingredients]:
    """`make_ingredients(**changes)`: the input of steps. The files of graph and tokenizer hold neither."""

    def make(
        *,
        folder: Path = tmp_path / "tree",
        inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"),
        dtype: str = "INT64",
        labels: Sequence[str] = TINY_LABELS,
        model_name: str = "ensemble_model",
        max_batch_size: int = 4,
        instance_kind: str = "KIND_CPU",
        pads_to_buckets: bool = False,
        score_function: str = "softmax",
        top_k: int = 1,
        external_files: Sequence[str] = (),
        step_names: Iterable[tuple[str, str]] = (),
        task: str = "text-classification",
        settings: dict[str, Any] | None = None,
        logits: tuple[int, ...] | None = None,
        engine: str = "onnxruntime",
        precision: str = "fp32",
        release: str = "26.06",
        tokenization: dict[str, Any] = SETTINGS,
    ) -> Ingredients:
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
            tokenization=tokenization,
            engine=engine,
            precision=precision,
            release=release,
            step_names=dict(step_names),
        )

    return make


@pytest.fixture
def make_pipeline(make_ingredients: Callable[..., Ingredients]) -> Callable[..., Pipeline]:
    """`make_pipeline(**changes)`: a planned repository of these ingredients, by default for text classification."""

    def make(*, layout: str = "ensemble", task: str = "text-classification", **changes: Any) -> Pipeline:
        ingredients = make_ingredients(task=task, **changes)
        return LAYOUTS[layout](ingredients, tuple(step(ingredients) for step in TASKS[task].layouts["ensemble"]))

    return make


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder written by save_pretrained(): a random BERT of two layers with labels a, b and c, and its tokenizer."""
    return tiny_models.bert(tmp_path_factory.mktemp("tiny bert") / "model", labels=TINY_LABELS)


@pytest.fixture
def start_child(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """`start_child(code, *arguments)`: a Python child that can import utils. Children are killed after the test.

    Its stdin, stdout and stderr are pipes, in text mode.
    """
    root = Path(__file__).resolve().parent.parent
    # PYTHONUNBUFFERED would hide faults in the order of buffered output.
    rest = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    children: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
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


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A running Chromium, for `visitor`. Without one the test is skipped, and fails in CI."""
    from tests.browser import launched

    with launched() as browser:
        yield browser


@pytest.fixture
def visitor(browser: "Browser") -> "Iterator[Visitor]":
    """`visitor.open(url, size=PHONE, dark=True)`: a tests.browser.Visit. A page with errors fails the test."""
    from tests.browser import Visitor

    visitor = Visitor(browser)
    yield visitor
    visitor.close()
