"""What the tests of families share: one call to convert, and PyTorch's answers by transformers' own pipeline."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.convert.conversion import convert_with_reference
from utils.convert.onnx.exported_graph import onnx_session
from utils.convert.task import ConversionSpec, ModelTask, Task
from utils.convert.types import FrozenTokenizer, ReferenceModel
from utils.repository.pipeline import Graph
from utils.repository.served_code import load_shared
from utils.targets.exporters import OPTIMUM
from utils.targets.releases import default_release, find_release
from utils.targets.target import Target
from utils.tasks import TASKS

# As the pipeline of transformers scores a model of several labels.
SETTINGS = {"score_function": "softmax", "score_rule": "pipeline", "top_k": 1}


class Converted(NamedTuple):
    """A conversion, and the reference model it was compared with."""

    graph: Graph
    tokenizer: FrozenTokenizer
    reference: ReferenceModel


def spec_of(
    model: Path, *, max_batch_size: int = 8, exporter: str = OPTIMUM, task: Task = TASKS["text-classification"]
) -> ConversionSpec:
    """Text classification, or a task with the same settings, by the model in a folder."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    assert isinstance(task, ModelTask)
    return ConversionSpec(
        task=task,
        target=Target(release=find_release(default_release())),
        max_batch_size=max_batch_size,
        labels=tuple(map(str, range(len(config.get("id2label", "01"))))),
        settings=SETTINGS,
        exporter=exporter,
    )


def convert_folder(
    model: Path, destination: Path, *, tokenizer: Path | None = None, max_batch_size: int = 8
) -> Converted:
    spec = spec_of(model, max_batch_size=max_batch_size)
    conversion, reference = convert_with_reference(model, tokenizer or model, destination, spec)
    return Converted(graph=conversion.graph, tokenizer=conversion.tokenizer, reference=reference)


def golden_logits(conversion: Converted) -> np.ndarray:
    """PyTorch's, [texts, labels]."""
    return np.array([outputs["logits"] for outputs in conversion.reference.outputs])


def graph_logits(conversion: Converted, texts: Iterable[str]) -> np.ndarray:
    """The graph's by the served tokenization, [texts, labels], one text at a time."""
    served = load_shared("tokenization")
    fast = served.load_tokenizer(conversion.tokenizer.file, conversion.tokenizer.settings)
    dtypes = {tensor.name: tensor.dtype.lower() for tensor in conversion.graph.inputs}
    session = onnx_session(conversion.graph.path)
    return np.array([session.run(["logits"], served.encode(fast, [text], dtypes))[0][0] for text in texts])


def pipeline_logits(model: Path, texts: Iterable[str], *, max_length: int = 128) -> np.ndarray:
    """[texts, labels], as a user who follows the documentation of transformers gets them, one text at a time."""
    import torch
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(model), dtype=torch.float32, device="cpu")
    kept = {"top_k": None, "function_to_apply": "none", "truncation": True, "max_length": max_length}
    rows = [{each["label"]: each["score"] for each in classify(text, **kept)} for text in texts]
    labels = classify.model.config.id2label
    return np.array([[row[labels[index]] for index in range(len(labels))] for row in rows])
