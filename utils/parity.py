"""The ONNX graph against the PyTorch model, on padded batches of texts of different lengths. Fatal."""

from collections.abc import Callable
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
    """Runs the graph on each text alone, then on ragged batches; ParityError (5) when a logit or a best label differs.

    expected: PyTorch's logits, [texts][labels], each text alone. Absolute tolerance, scaled for large logits.
    """
    answer = _answering(graph, frozen)
    reference = np.array(expected, dtype=np.float32)
    singles, batches = _ragged_batches(len(texts), 1 if frozen.settings["padding"] is None else max_batch_size)
    alone = _compare(answer, texts, reference, singles)
    if not _agrees(alone, reference):
        raise ParityError(f"the ONNX graph does not answer as PyTorch does: {_told(alone)}; nothing was built")
    padded = _compare(answer, texts, reference, batches)
    if not _agrees(padded, reference):
        raise ParityError(
            f"the ONNX graph does not answer as PyTorch does when texts of different lengths share a batch: "
            f"{_told(padded)}, while each text alone agrees; the answers of some model types depend on padding: "
            "build with MAX_BATCH_SIZE 1; nothing was built"
        )
    compared = alone.texts + padded.texts
    return LogitParity(
        texts=compared,
        max_difference=max(alone.max_difference, padded.max_difference),
        agreement=(alone.agreement * alone.texts + padded.agreement * padded.texts) / compared,
    )


def _answering(graph: OnnxModel, frozen: FrozenTokenizer) -> Callable[[list[str]], np.ndarray]:
    """Texts to logits [texts, labels], by the served tokenization and ONNX Runtime."""
    served = load_shared("tokenization")
    tokenizer = served.load_tokenizer(frozen.file, frozen.settings)
    dtypes = {tensor.name: tensor.dtype.lower() for tensor in graph.inputs}
    session: Any = None

    def answer(texts: list[str]) -> np.ndarray:
        nonlocal session
        try:
            session = session or _session(graph.path)
            logits: np.ndarray = session.run([graph.outputs[0].name], served.encode(tokenizer, texts, dtypes))[0]
        except Exception as error:  # ONNX Runtime's own classes share no base
            reason = " ".join(str(error).split())[:300]
            raise ParityError(f"the ONNX graph cannot be run on {texts[0][:60]!r}: {reason}") from error
        return logits.astype(np.float32)

    return answer


def _compare(
    answer: Callable[[list[str]], np.ndarray], texts: tuple[str, ...], reference: np.ndarray, batches: list[list[int]]
) -> LogitParity:
    largest, agreeing, compared = 0.0, 0, 0
    for rows in batches:
        logits = answer([texts[row] for row in rows])
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
    return LogitParity(texts=compared, max_difference=largest, agreement=agreeing / compared if compared else 1.0)


def _agrees(result: LogitParity, reference: np.ndarray) -> bool:
    return result.max_difference <= LOGIT_TOLERANCE * max(1.0, float(np.abs(reference).max())) and result.agreement == 1


def _told(result: LogitParity) -> str:
    return (
        f"largest logit difference {result.max_difference:.2g} (allowed {LOGIT_TOLERANCE:g}), "
        f"same best label for {result.agreement:.1%}"
    )


def _same_best(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Per row: is the graph's best label one that PyTorch, too, scores best, ties within the tolerance included?"""
    chosen = np.take_along_axis(reference, logits.argmax(axis=1, keepdims=True), axis=1)[:, 0]
    same: np.ndarray = reference.max(axis=1) - chosen <= LOGIT_TOLERANCE
    return same


def _ragged_batches(count: int, largest: int) -> tuple[list[list[int]], list[list[int]]]:
    """Every text alone, and in batches of each size up to `largest`, neighbours of different lengths together."""
    sizes = [size for size in BATCH_SIZES if 1 < size <= largest]
    batches = [list(range(start, min(start + size, count))) for size in sizes for start in range(0, count, size)]
    return [[row] for row in range(count)], batches


def _session(graph: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
