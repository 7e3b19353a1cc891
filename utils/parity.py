"""The ONNX graph against the PyTorch model, on padded batches of texts of different lengths. Fatal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils.components import load_shared
from utils.errors import ParityError
from utils.pipeline import OnnxModel
from utils.tokenization import FrozenTokenizer

# Exports measured so far differ by at most 3e-6; what is padded or masked wrongly differs by far more.
LOGIT_TOLERANCE = 1e-3
BATCH_SIZES = (1, 2, 3, 5)


@dataclass(frozen=True, kw_only=True)
class LogitParity:
    """`max_difference` over all logits; `agreement` is the share of texts with the same best label."""

    texts: int
    max_difference: float
    agreement: float


def check_logits(
    graph: OnnxModel,
    frozen: FrozenTokenizer,
    texts: tuple[str, ...],
    expected: list[list[float]],
    *,
    max_batch_size: int,
) -> LogitParity:
    """Runs the graph on ragged batches; ParityError (exit 5) when a logit or a best label differs.

    expected: PyTorch's logits, [texts][labels], each text alone. Absolute tolerance, scaled for large logits.
    """
    served = load_shared("tokenization")
    tokenizer = served.load_tokenizer(frozen.file, frozen.settings)
    dtypes = {tensor.name: tensor.dtype.lower() for tensor in graph.inputs}
    session = _session(graph.path)
    reference = np.array(expected, dtype=np.float32)
    largest, agreeing, compared = 0.0, 0, 0
    for rows in _ragged_batches(len(texts), 1 if frozen.settings["padding"] is None else max_batch_size):
        arrays = served.encode(tokenizer, [texts[row] for row in rows], dtypes)
        logits = session.run([graph.outputs[0].name], arrays)[0].astype(np.float32)
        if logits.shape != (len(rows), reference.shape[1]):
            raise ParityError(
                f"the graph gives logits {list(logits.shape)} for {len(rows)} texts; "
                f"PyTorch gives {reference.shape[1]} a text"
            )
        difference = np.abs(logits - reference[rows])
        if not np.isfinite(difference).all():
            raise ParityError(f"the logits for {texts[rows[0]][:60]!r} are not finite; nothing was built")
        largest = max(largest, float(difference.max()))
        agreeing += int(_same_best(logits, reference[rows]).sum())
        compared += len(rows)
    result = LogitParity(texts=compared, max_difference=largest, agreement=agreeing / compared)
    if largest > LOGIT_TOLERANCE * max(1.0, float(np.abs(reference).max())) or result.agreement < 1:
        raise ParityError(
            f"the ONNX graph does not answer as PyTorch does: largest logit difference {largest:.2g} "
            f"(allowed {LOGIT_TOLERANCE:g}), same best label for {result.agreement:.1%}; nothing was built"
        )
    return result


def _same_best(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Per row: is the graph's best label one that PyTorch, too, scores best, ties within the tolerance included?"""
    chosen = np.take_along_axis(reference, logits.argmax(axis=1, keepdims=True), axis=1)[:, 0]
    same: np.ndarray = reference.max(axis=1) - chosen <= LOGIT_TOLERANCE
    return same


def _ragged_batches(count: int, largest: int) -> list[list[int]]:
    """Every text in batches of each size up to `largest`, neighbours of different lengths together."""
    sizes = [size for size in BATCH_SIZES if size <= largest]
    return [list(range(start, min(start + size, count))) for size in sizes for start in range(0, count, size)]


def _session(graph: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
