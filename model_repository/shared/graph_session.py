"""An ONNX graph on the CPU, by default with as many threads as the container may use."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
import onnxruntime

NUMPY_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class GraphSession:
    """Runs batches ({input name: array}); each gives the graph's outputs `names`, in that order."""

    def __init__(self, file, names, threads=None):
        options = onnxruntime.SessionOptions()
        threads = threads or cpu_count()
        options.intra_op_num_threads = threads
        # A thread that spins while it waits takes the processor from those that bring the next requests.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self.pool = ThreadPoolExecutor(threads)
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.dtypes = {node.name: NUMPY_TYPES[node.type] for node in self.session.get_inputs()}
        self.names = names

    def run(self, feeds):
        """The outputs of each of `feeds`, in order; several run side by side, one alone on all threads."""
        return list((map if len(feeds) == 1 else self.pool.map)(self._run, feeds))

    def _run(self, feed):
        return self.session.run(self.names, {name: feed[name] for name in self.dtypes})


def cpu_count(root=Path("/sys/fs/cgroup")):
    """Whole CPUs this process may use, at least 1: the cgroup's quota where there is one, else those it may run on.

    Sources: the kernel's cgroup-v2 (cpu.max: "quota period" in microseconds, or "max") and v1 (cpu.cfs_quota_us).
    """
    usable = len(os.sched_getaffinity(0))
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = ((root / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        except OSError:
            return usable
    return usable if quota == "max" or int(quota) <= 0 else max(1, min(usable, round(int(quota) / int(period))))
