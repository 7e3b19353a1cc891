"""Small models for the paths that docs/tasks.md names: {path: what makes it there}."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tests import small_graphs, tiny_models, trained_ocr


def topics(folder: Path) -> None:
    """As examples/topics leaves it, but tiny and untrained."""
    labels = ("sport", "cooking", "weather", "finance")
    tiny_models.bert(folder, labels=labels)
    (folder / "id2label.json").write_text(json.dumps(dict(enumerate(labels))), encoding="utf-8")


def embedder(folder: Path) -> None:
    """A folder of sentence-transformers."""
    tiny_models.distilbert(folder)
    chain = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate(chain)
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "1_Pooling").mkdir()
    size = json.loads((folder / "config.json").read_text(encoding="utf-8"))["dim"]
    pooling = {"word_embedding_dimension": size, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling), encoding="utf-8")
    own = {"prompts": {"query": "search: "}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(own), encoding="utf-8")


def splade(folder: Path) -> Path:
    """A folder of a SparseEncoder."""
    tiny_models.as_masked_language_model(folder, tiny_models.bert)
    kinds = [("", "MLMTransformer"), ("1_SpladePooling", "SpladePooling")]
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.sparse_encoder.models.{kind}"}
        for place, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "1_SpladePooling").mkdir()
    pooling = {"pooling_strategy": "max", "activation_function": "relu", "word_embedding_dimension": None}
    (folder / "1_SpladePooling/config.json").write_text(json.dumps(pooling), encoding="utf-8")
    own = {"model_type": "SparseEncoder", "prompts": {"query": "search: "}, "similarity_fn_name": "dot"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(own), encoding="utf-8")
    return folder


MODELS: dict[str, Callable[[Path], object]] = {
    "./splade": splade,
    "./ocr": lambda folder: shutil.copytree(trained_ocr.folder(), folder),
    "./topics": topics,
    "./curses": lambda folder: tiny_models.bert(folder, labels=("clean", "curse")),
    "./scorer.onnx": small_graphs.doubling,
    "./recognition.onnx": small_graphs.recognition,
    "./embedder": embedder,
    "./reader": lambda folder: tiny_models.as_question_answering(folder, tiny_models.bert),
    "./nli": lambda folder: tiny_models.bert(folder, labels=("contradiction", "neutral", "entailment")),
    "./entailment": lambda folder: tiny_models.bert(folder, labels=("entailment", "neutral", "contradiction")),
    "./reranker": lambda folder: tiny_models.bert(folder, labels=("LABEL_0",)),
    "./entities": lambda folder: tiny_models.as_token_classification(folder, tiny_models.bert),
}
