"""Runs a graph with the code that serves it, in a child process in the serving environment."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from utils.convert.types import Session
from utils.host import children, environment
from utils.host.arrays_stream import read_arrays, write_arrays
from utils.host.environments import SERVING
from utils.host.errors import ExportError
from utils.repository.pipeline import Graph


@contextlib.contextmanager
def engine_session(graph: Graph, engine: str, precision: str) -> Iterator[Session | None]:
    """The graph on the CPU by `engine` in `precision`; None if this CPU does not support it. ExportError (4)."""
    request = {
        "engine": engine,
        "file": str(graph.path.absolute()),
        "settings": {
            "graph_outputs": [tensor.name for tensor in graph.outputs],
            "precision": precision,
            "token_budget": 0,
            "padding": None,
            "max_length": None,
        },
    }
    with subprocess.Popen(
        children.of_module(environment.ensure(SERVING), "utils.convert.engine_child"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdin and child.stdout
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        try:
            yield _requests(child.stdin, child.stdout) if _precision(child) == precision else None
        finally:
            child.kill()


def _precision(child: "subprocess.Popen[bytes]") -> str:
    """The precision that the child reports in its first line."""
    assert child.stdout and child.stderr
    line = child.stdout.readline()
    if not line:
        reason = (child.stderr.read().decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise ExportError(f"the engine cannot run the graph ({reason}); build with --engine onnxruntime")
    return str(json.loads(line)["precision"])


def _requests(requests: IO[bytes], answers: IO[bytes]) -> Session:
    def run(feed: Mapping[str, Any]) -> Sequence[np.ndarray]:
        write_arrays(requests, feed)
        return list(read_arrays(answers).values())

    return run
