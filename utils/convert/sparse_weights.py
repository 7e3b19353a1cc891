"""The layer behind a masked-language model that makes its logits a sparse embedding, as SpladePooling."""

from pathlib import Path
from typing import Any

from utils.convert.completed_model import completed
from utils.convert.types import Settings


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
