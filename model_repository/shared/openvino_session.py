"""Runs an ONNX graph on the CPU with OpenVINO.

BF16 is used if it is requested, the CPU supports it, and the answers stay the same.
"""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from container_limits import Share, whole
from length_batches import length_batches, spread

# Every new shape is compiled: batches have 1, 2, 4 or 8 rows, and lengths are multiples of a step.
MOST_ROWS = 8
LENGTH_STEP = 8
# Shapes up to this length are compiled at start, longer ones at their first request.
WARM_LENGTH = 64
# Relative to the largest number; 2,000 texts of a fine-tuned MiniLM have 0.02.
BF16_TOLERANCE = 0.05


class GraphSession:
    """Runs batches ({input name: array}) and returns the graph's outputs settings["graph_outputs"], in that order."""

    def __init__(self, file: Path, settings: Mapping[str, Any], share: Share | None = None) -> None:
        self.core = openvino.Core()
        self.threads: int = settings.get("threads") or (share or whole()).cpus
        self.model = self.core.read_model(str(file))
        self.dtypes = {
            port.get_any_name(): np.dtype(port.get_element_type().to_dtype()).type for port in self.model.inputs
        }
        self.names, self.token_budget = settings["graph_outputs"], settings["token_budget"]
        self.is_padded, self.longest = settings["padding"] is not None, settings["max_length"]
        self.pool = ThreadPoolExecutor(self.threads)
        self.wants_bf16 = settings["precision"] == "bf16"
        self._compile("bf16" if self.wants_bf16 and has_bf16(self.core) else "f32")

    def _compile(self, precision: str) -> None:
        """Compiles the model for a single batch on all threads, and for many batches with one thread each."""
        self.precision = precision
        self.alone, self.beside = (
            self.core.compile_model(
                self.model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": precision,
                    "INFERENCE_NUM_THREADS": self.threads,
                    "NUM_STREAMS": streams,
                    "ENABLE_CPU_PINNING": False,  # a container cannot choose its processors
                },
            )
            for streams in (1, self.threads)
        )

    def batches(self, lengths: Sequence[int]) -> list[tuple[list[int], int]]:
        """The indices of `lengths` that run together, and the length that their rows are padded to."""
        budget = spread(lengths, self.token_budget, self.threads)
        groups = length_batches(lengths, budget, max_rows=MOST_ROWS)
        return [(indices, self._padded(lengths[indices[0]])) for indices in groups]

    def _padded(self, length: int) -> int:
        rounded = -(-length // LENGTH_STEP) * LENGTH_STEP if self.is_padded else length
        return min(rounded, max(length, int(self.longest or rounded)))

    def run(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> list[list[np.ndarray]]:
        """The outputs of each of `feeds`, in order. Several run side by side, a single one on all threads."""
        if len(feeds) == 1:
            return [self._run(feeds[0], self.alone)]
        return list(self.pool.map(lambda feed: self._run(feed, self.beside), feeds))

    def _run(self, feed: Mapping[str, np.ndarray], compiled: Any) -> list[np.ndarray]:
        rows = len(next(iter(feed.values())))
        filled_rows = 1 << (rows - 1).bit_length()
        filled = {name: np.resize(feed[name], (filled_rows, *feed[name].shape[1:])) for name in self.dtypes}
        outputs = compiled.create_infer_request().infer(filled)
        return [outputs[compiled.output(name)][:rows] for name in self.names]

    def warm(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Selects the precision with `feeds`, and compiles the usual shapes with 1 row and with MOST_ROWS."""
        if self.wants_bf16:
            self._select_precision(feeds)
        if not self.is_padded:
            return
        lengths = range(LENGTH_STEP, min(WARM_LENGTH, self.longest or WARM_LENGTH) + 1, LENGTH_STEP)
        shapes = [(rows, length) for rows in (1, MOST_ROWS) for length in lengths]
        made = [{name: np.ones(shape, dtype) for name, dtype in self.dtypes.items()} for shape in shapes]
        for feed in made:
            self._run(feed, self.alone)
        self.run(made)

    def _select_precision(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> None:
        if self.precision != "bf16":
            log("this CPU does not support BF16: using f32")
            return
        actual = self._numbers(feeds)
        self._compile("f32")
        expected = self._numbers(feeds)
        drift = np.abs(expected - actual).max() / np.abs(expected).max()
        if drift <= BF16_TOLERANCE:
            self._compile("bf16")
        log(f"BF16 changes numbers by up to {drift:.3f} of the largest, allowed {BF16_TOLERANCE}: {self.precision}")

    def _numbers(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
        """All outputs of all feeds in one array."""
        return np.concatenate([output.ravel() for feed in feeds for output in self._run(feed, self.alone)])


def has_bf16(core: Any) -> bool:
    """True if the CPU multiplies BF16 matrices natively (such as AVX512_BF16, AMX_BF16)."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def log(text: str) -> None:
    """Writes one line to the server's log."""
    print(f"openvino: {text}", file=sys.stderr, flush=True)
