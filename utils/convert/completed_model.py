"""A loaded model with further layers behind its own, in its class: exporters and pipelines see one model."""

import inspect
from collections.abc import Callable
from typing import Any


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

        given = signature.bind(self, *args, **named).arguments
        mask = given.get("attention_mask")
        mask = torch.ones_like(given["input_ids"]) if mask is None else mask
        return ModelOutput(logits=logits(base.forward(self, *args, **named), mask))

    # Not functools.wraps: optimum calls what __wrapped__ names in place of the function.
    forward.__signature__ = signature  # type: ignore[attr-defined]
    model.__class__ = type(base.__name__, (base,), {"forward": forward, "__module__": base.__module__})
    return model
