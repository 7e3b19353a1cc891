"""An ONNX graph on the CPU by ONNX Runtime, by default with as many threads as the container may use."""

import os
from concurrent.futures import ThreadPoolExecutor

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
import onnxruntime
from container_limits import cpu_count, memory_bytes
from length_batches import length_batches, spread

NUMPY_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
# A run is many small parts: threads that sleep between them cost a text that comes alone a fifth of its time.
SPIN_MICROSECONDS = 200
# What the weights of both sessions may take of the memory.
WEIGHTS_SHARE = 0.5


class GraphSession:
    """Runs batches ({input name: array}); each gives the graph's outputs settings["graph_outputs"], in that order.

    Texts that come alone have a session with all threads; batches side by side one of a thread each, without waiting
    for one another at every part. The weights are in memory twice for that, where there is room for them.
    """

    def __init__(self, file, settings):
        self.threads = settings.get("threads") or cpu_count()
        self.pool = ThreadPoolExecutor(self.threads)
        self.is_twice = self.threads > 1 and 2 * size(file) <= WEIGHTS_SHARE * memory_bytes()
        self.session = open_session(file, self.threads, spin_microseconds=SPIN_MICROSECONDS if self.is_twice else 0)
        self.beside = open_session(file, 1) if self.is_twice else self.session
        self.dtypes = {node.name: NUMPY_TYPES[node.type] for node in self.session.get_inputs()}
        self.names, self.token_budget = settings["graph_outputs"], settings["token_budget"]

    def batches(self, lengths):
        """The places of `lengths` that run together, and the length that their rows are padded to."""
        budget = spread(lengths, self.token_budget, self.threads) if self.is_twice else self.token_budget
        return [(places, lengths[places[0]]) for places in length_batches(lengths, budget)]

    def run(self, feeds):
        """The outputs of each of `feeds`, in order; several run side by side, one alone on all threads."""
        if len(feeds) == 1:
            return [self._run(feeds[0], self.session)]
        return list(self.pool.map(lambda feed: self._run(feed, self.beside), feeds))

    def warm(self, feeds):
        """Runs what the first requests would otherwise wait for."""
        self.run(feeds)
        self.run(feeds[:1])

    def _run(self, feed, session):
        return session.run(self.names, {name: feed[name] for name in self.dtypes})


def size(file):
    """Bytes of the graph and of the weights beside it."""
    return sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*"))


def open_session(file, threads, spin_microseconds=0):
    """On the CPU; a run of it has so many threads, which spin so long while they wait for their next part of the run.

    A thread that spins longer, or after the run, takes the processor from those that bring the next requests.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin_microseconds > 0)))
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(spin_microseconds))
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
