"""What the tests of families share: one call to convert, and PyTorch's answers by transformers' own pipeline."""

from pathlib import Path

import numpy as np

from utils.convert.onnx.exported_graph import onnx_session
from utils.convert_to_onnx import Conversion, ConversionSpec, convert
from utils.repository.served_code import load_shared
from utils.targets.releases import default_release, find_release
from utils.tasks import TASKS


def convert_folder(model: Path, destination: Path, *, tokenizer: Path | None = None, max_batch_size=8) -> Conversion:
    wanted = ConversionSpec(
        task=TASKS["text-classification"], release=find_release(default_release()), max_batch_size=max_batch_size
    )
    return convert(model, tokenizer or model, destination, wanted)


def golden_logits(conversion: Conversion) -> np.ndarray:
    """PyTorch's, [texts, labels]."""
    return np.array([outputs["logits"] for outputs in conversion.original.outputs])


def graph_logits(conversion: Conversion, texts) -> np.ndarray:
    """The graph's by the served tokenization, [texts, labels], one text at a time."""
    served = load_shared("tokenization")
    fast = served.load_tokenizer(conversion.tokenizer.file, conversion.tokenizer.settings)
    dtypes = {tensor.name: tensor.dtype.lower() for tensor in conversion.graph.inputs}
    session = onnx_session(conversion.graph.path)
    return np.array([session.run(["logits"], served.encode(fast, [text], dtypes))[0][0] for text in texts])


def pipeline_logits(model: Path, texts, *, max_length=128) -> np.ndarray:
    """[texts, labels], as a user who follows the documentation of transformers gets them, one text at a time."""
    import torch
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(model), dtype=torch.float32, device="cpu")
    kept = {"top_k": None, "function_to_apply": "none", "truncation": True, "max_length": max_length}
    rows = [{each["label"]: each["score"] for each in classify(text, **kept)} for text in texts]
    labels = classify.model.config.id2label
    return np.array([[row[labels[index]] for index in range(len(labels))] for row in rows])
