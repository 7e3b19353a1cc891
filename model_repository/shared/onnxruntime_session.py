"""Runs an ONNX graph on the CPU with ONNX Runtime, by default with a thread for each CPU that this process may use."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
import onnxruntime
from container_limits import Share, whole
from length_batches import length_batches, spread

NUMPY_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
# A run has many small parts. If its threads sleep between them, a single text takes a fifth longer.
SPIN_MICROSECONDS = 200
# Weights are loaded twice if both copies fit in this part of the memory that the process may use.
WEIGHTS_SHARE = 0.5


class GraphSession:
    """Runs batches ({input name: array}) and returns the graph's outputs settings["graph_outputs"], in that order.

    A single batch uses a session with all threads. Batches that run side by side use a session with one thread each, so
    that they do not wait for each other. This loads the weights twice, if the memory suffices.
    """

    def __init__(self, file: Path, settings: Mapping[str, Any], share: Share | None = None) -> None:
        share = share or whole()
        self.threads: int = settings.get("threads") or share.cpus
        self.pool = ThreadPoolExecutor(self.threads)
        self.is_twice = self.threads > 1 and 2 * size(file) <= WEIGHTS_SHARE * share.memory
        if self.is_twice:
            self.session = open_session(file, self.threads, SPIN_MICROSECONDS, pinned_to=own_cpus(self.threads)[1:])
        else:
            self.session = open_session(file, self.threads)
        self.beside = open_session(file, 1) if self.is_twice else self.session
        self.dtypes = {node.name: NUMPY_TYPES[node.type] for node in self.session.get_inputs()}
        self.names, self.token_budget = settings["graph_outputs"], settings["token_budget"]

    def batches(self, lengths: Sequence[int]) -> list[tuple[list[int], int]]:
        """The indices of `lengths` that run together, and the length that their rows are padded to."""
        budget = spread(lengths, self.token_budget, self.threads) if self.is_twice else self.token_budget
        return [(indices, lengths[indices[0]]) for indices in length_batches(lengths, budget)]

    def run(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> list[list[np.ndarray]]:
        """The outputs of each of `feeds`, in order. Several run side by side, a single one on all threads."""
        if len(feeds) == 1:
            return [self._run(feeds[0], self.session)]
        return list(self.pool.map(lambda feed: self._run(feed, self.beside), feeds))

    def warm(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Runs once in each way, so that the first requests do not wait for it."""
        self.run(feeds)
        self.run(feeds[:1])

    def _run(self, feed: Mapping[str, np.ndarray], session: onnxruntime.InferenceSession) -> list[np.ndarray]:
        return list(session.run(self.names, {name: feed[name] for name in self.dtypes}))


def own_cpus(threads: int) -> list[int]:
    """The CPUs of this process if there is one for each of its threads; else [], since others use them as well."""
    cpus = sorted(os.sched_getaffinity(0))
    return cpus if len(cpus) == threads else []


def size(file: Path) -> int:
    """Bytes of the graph and of the weights beside it."""
    return sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*"))


def open_session(
    file: Path, threads: int, spin_microseconds: int = 0, pinned_to: Sequence[int] = ()
) -> onnxruntime.InferenceSession:
    """A session on the CPU. Its threads spin for `spin_microseconds` while they wait for the next part of a run.

    A thread that spins longer, or after the run, takes processor time from threads that handle the next requests.
    `pinned_to`: one CPU for each thread but the caller's. Without, a scheduler may wake two threads on one CPU after an
    idle time, and the thread that spins keeps the other from running.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin_microseconds > 0)))
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(spin_microseconds))
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if pinned_to:  # ONNX Runtime counts CPUs from 1
        places = ";".join(str(cpu + 1) for cpu in pinned_to)
        options.add_session_config_entry("session.intra_op_thread_affinities", places)
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
