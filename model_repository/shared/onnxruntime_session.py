"""An ONNX graph on the CPU by ONNX Runtime, by default with as many threads as the container may use."""

import os
from concurrent.futures import ThreadPoolExecutor

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
import onnxruntime
from cpu_count import cpu_count
from length_batches import length_batches

NUMPY_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class GraphSession:
    """Runs batches ({input name: array}); each gives the graph's outputs settings["graph_outputs"], in that order."""

    def __init__(self, file, settings):
        threads = settings.get("threads") or cpu_count()
        self.pool = ThreadPoolExecutor(threads)
        self.session = self.beside = open_session(file, threads)
        # Batches side by side need a thread each, and no more: weights of int8 are small enough to be there twice.
        if settings.get("precision") == "int8":
            self.beside = open_session(file, 1)
        self.dtypes = {node.name: NUMPY_TYPES[node.type] for node in self.session.get_inputs()}
        self.names, self.token_budget = settings["graph_outputs"], settings["token_budget"]

    def batches(self, lengths):
        """The places of `lengths` that run together, and the length that their rows are padded to."""
        return [(places, lengths[places[0]]) for places in length_batches(lengths, self.token_budget)]

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


def open_session(file, threads):
    """On the CPU; a run of it has so many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # A thread that spins while it waits takes the processor from those that bring the next requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
