"""A loaded model with further layers behind its own, in its class: exporters and pipelines see one model."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from utils.convert.types import Settings


def completed(model: Any, logits: Callable[[Any, Any], Any]) -> Any:
    """`model`, whose output is now `logits` FP32 [B, C], as a classifier's.

    logits: called with the model's own output and the attention mask, integers [B, tokens]. The class is replaced, not
    the bound method: copies of the model keep the layers, and tracing sees them.
    """
    base = type(model)
    signature = inspect.signature(base.forward)

    def forward(self: Any, *args: Any, **named: Any) -> Any:
        import torch
        from transformers.utils import ModelOutput

        inputs = signature.bind(self, *args, **named).arguments
        mask = inputs.get("attention_mask")
        mask = torch.ones_like(inputs["input_ids"]) if mask is None else mask
        return ModelOutput(logits=logits(base.forward(self, *args, **named), mask))

    # Not functools.wraps: optimum calls what __wrapped__ names in place of the function.
    forward.__signature__ = signature  # type: ignore[attr-defined]
    model.__class__ = type(base.__name__, (base,), {"forward": forward, "__module__": base.__module__})
    return model


def with_sparse_weights(model: Any, settings: Settings, _: Path) -> Any:
    """`model`, whose output is the weight of each token of the vocabulary, FP32 [B, V], none negative.

    Source of the formulas: SpladePooling.forward of sentence-transformers 5 and 6. The logarithm grows with its
    argument, so that the largest logit of a text has the largest weight.
    """
    repeats = {"relu": 1, "log1p_relu": 2}[settings["activation_function"]]
    is_max = settings["pooling_strategy"] == "max"

    def weights(output: Any, mask: Any) -> Any:
        logits = (output.logits * mask.unsqueeze(-1).to(output.logits.dtype)).relu()
        values = logits.amax(dim=1) if is_max else logits
        for _ in range(repeats):
            values = values.log1p()
        return values if is_max else values.sum(dim=1)

    return completed(model, weights)
