"""An ONNX graph on the CPU by OpenVINO; in BF16 where that is wanted, the CPU can, and the answers stay the same."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino
from container_limits import cpu_count
from length_batches import length_batches, spread

# Each new shape costs a compilation: batches have 1, 2, 4 or 8 rows, and lengths are multiples of a step.
MOST_ROWS = 8
LENGTH_STEP = 8
# Shapes are compiled at start for lengths up to this; longer ones when they are first asked for.
WARM_LENGTH = 64
# Of the largest number; 2,000 texts of a fine-tuned MiniLM have 0.02.
BF16_TOLERANCE = 0.05


class GraphSession:
    """Runs batches ({input name: array}); each gives the graph's outputs settings["graph_outputs"], in that order."""

    def __init__(self, file, settings):
        self.core, self.threads = openvino.Core(), settings.get("threads") or cpu_count()
        self.model = self.core.read_model(str(file))
        self.dtypes = {
            port.get_any_name(): np.dtype(port.get_element_type().to_dtype()).type for port in self.model.inputs
        }
        self.names, self.token_budget = settings["graph_outputs"], settings["token_budget"]
        self.is_padded, self.longest = settings["padding"] is not None, settings["max_length"]
        self.pool = ThreadPoolExecutor(self.threads)
        self.wants_bf16 = settings["precision"] == "bf16"
        self._compile("bf16" if self.wants_bf16 and has_bf16(self.core) else "f32")

    def _compile(self, precision):
        """One for requests that come alone, on all threads; one for many at once, a thread each."""
        self.precision = precision
        self.alone, self.beside = (
            self.core.compile_model(
                self.model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": precision,
                    "INFERENCE_NUM_THREADS": self.threads,
                    "NUM_STREAMS": streams,
                    "ENABLE_CPU_PINNING": False,  # a container does not choose its processors
                },
            )
            for streams in (1, self.threads)
        )

    def batches(self, lengths):
        """The places of `lengths` that run together, and the length that their rows are padded to."""
        budget = spread(lengths, self.token_budget, self.threads)
        groups = length_batches(lengths, budget, most_rows=MOST_ROWS)
        return [(places, self._padded(lengths[places[0]])) for places in groups]

    def _padded(self, length):
        rounded = -(-length // LENGTH_STEP) * LENGTH_STEP if self.is_padded else length
        return min(rounded, max(length, self.longest or rounded))

    def run(self, feeds):
        """The outputs of each of `feeds`, in order; several run side by side, one alone on all threads."""
        if len(feeds) == 1:
            return [self._run(feeds[0], self.alone)]
        return list(self.pool.map(lambda feed: self._run(feed, self.beside), feeds))

    def _run(self, feed, compiled):
        rows = len(next(iter(feed.values())))
        wanted = 1 << (rows - 1).bit_length()
        filled = {name: np.resize(feed[name], (wanted, *feed[name].shape[1:])) for name in self.dtypes}
        outputs = compiled.create_infer_request().infer(filled)
        return [outputs[compiled.output(name)][:rows] for name in self.names]

    def warm(self, feeds):
        """Settles the precision by `feeds`, and compiles the usual shapes, of 1 row and of MOST_ROWS."""
        if self.wants_bf16:
            self._settle_precision(feeds)
        if not self.is_padded:
            return
        lengths = range(LENGTH_STEP, min(WARM_LENGTH, self.longest or WARM_LENGTH) + 1, LENGTH_STEP)
        shapes = [(rows, length) for rows in (1, MOST_ROWS) for length in lengths]
        made = [{name: np.ones(shape, dtype) for name, dtype in self.dtypes.items()} for shape in shapes]
        for feed in made:
            self._run(feed, self.alone)
        self.run(made)

    def _settle_precision(self, feeds):
        if self.precision != "bf16":
            say("this CPU does not compute in BF16: f32")
            return
        given = self._numbers(feeds)
        self._compile("f32")
        wanted = self._numbers(feeds)
        drift = np.abs(wanted - given).max() / np.abs(wanted).max()
        if drift <= BF16_TOLERANCE:
            self._compile("bf16")
        say(f"BF16 changes numbers by up to {drift:.3f} of the largest, allowed {BF16_TOLERANCE}: {self.precision}")

    def _numbers(self, feeds):
        """All outputs of all feeds, one after the other."""
        return np.concatenate([output.ravel() for feed in feeds for output in self._run(feed, self.alone)])


def has_bf16(core):
    """Does the CPU multiply matrices of BF16 itself (AVX512_BF16, AMX_BF16 or their like)?"""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def say(text):
    """One line in the log of the server."""
    print(f"openvino: {text}", file=sys.stderr, flush=True)
