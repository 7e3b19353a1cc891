"""Requests to a Triton, and clients that send each its next one when they have the answer to the last."""

import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tritonclient.grpc as client

from benchmarks.processes import cpu_seconds
from benchmarks.texts import make_texts
from utils.host.errors import UsageError
from utils.proof.golden import TensorValue
from utils.proof.golden_file import read_golden
from utils.proof.verify import CLIENT_TIMEOUT, infer_input
from utils.repository.pipeline import Pipeline
from utils.triton.server import LocalServer

# Before the clock starts: a server's first requests are slow.
WARM_UP_SECONDS = 0.5
# Clients begin at different requests.
APART = 37


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one number of clients. `cpu_ms`: what a request cost the server's processes."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float

    @classmethod
    def median(cls, figures: Sequence["Figures"]) -> "Figures":
        """Of each figure by itself."""
        rows = [asdict(each) for each in figures]
        return cls(**{name: statistics.median(row[name] for row in rows) for name in rows[0]})


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What clients send: the inputs of each request (tritonclient's), and what they are, in words."""

    rows: tuple[list[Any], ...]
    what: str


def requests_to(pipeline: Pipeline, golden_file: Path, texts: Path | None) -> Requests:
    """The lines of `texts`, or texts of mixed lengths, one a request; the golden requests for a model of other inputs.

    UsageError for `texts` that hold none, or that the model does not take.
    """
    takes_text = [(tensor.dtype, tensor.dims) for tensor in pipeline.inputs] == [("BYTES", (1,))]
    if texts and not takes_text:
        inputs = ", ".join(map(str, pipeline.inputs)) or "what its graph does"
        raise UsageError(
            f"--texts is for a model that takes one text, and {pipeline.model_name!r} takes {inputs}; leave it out, "
            "and its golden requests are sent"
        )
    if takes_text:
        lines = _lines(texts) if texts else make_texts("mixed")
        name = pipeline.inputs[0].name
        shape = (1, 1) if pipeline.max_batch_size else (1,)
        rows = [{name: TensorValue(datatype="BYTES", shape=shape, data=(line,))} for line in lines]
        return Requests(rows=_ready(rows), what=f"{len(rows)} texts{f' of {texts.name}' if texts else ''}")
    golden = [row for row in read_golden(golden_file).rows if row.model == pipeline.model_name]
    rows = [{name: _batch(value) if row.batched else value for name, value in row.inputs.items()} for row in golden]
    return Requests(rows=_ready(rows), what=f"{len(rows)} golden requests")


def _lines(file: Path) -> list[str]:
    try:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--texts {str(file)!r} cannot be read: {error}; give a text a line, in UTF-8") from error
    if not lines:
        raise UsageError(f"--texts {str(file)!r} holds no text; give one a line")
    return lines


def _batch(value: TensorValue) -> TensorValue:
    return replace(value, shape=(1, *value.shape))


def _ready(rows: Sequence[dict[str, TensorValue]]) -> tuple[list[Any], ...]:
    return tuple([infer_input(client, name, value) for name, value in row.items()] for row in rows)


def ask(server: LocalServer, model: str, requests: Requests, *, clients: int, seconds: float) -> Figures:
    """`clients` over gRPC, each one request at a time, for `seconds`; whatever a client meets instead of an answer.

    UsageError for less than two answers, of which nothing can be told.
    """
    latencies: list[float] = []
    stop = threading.Event()

    def work(place: int) -> None:
        with client.InferenceServerClient(server.address.grpc) as connection:
            while not stop.is_set():
                before = time.perf_counter()
                connection.infer(model, requests.rows[place % len(requests.rows)], client_timeout=CLIENT_TIMEOUT)
                latencies.append(time.perf_counter() - before)
                place += 1

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(work, APART * number) for number in range(clients)]
        try:
            time.sleep(WARM_UP_SECONDS)
            first, cpu, started = len(latencies), cpu_seconds(server.pid), time.perf_counter()
            time.sleep(seconds)
            last, cpu, elapsed = len(latencies), cpu_seconds(server.pid) - cpu, time.perf_counter() - started
        finally:
            stop.set()
    for each in asking:
        each.result()
    if last - first < 2:
        raise UsageError(f"{last - first} requests were answered in {seconds:g} s; raise --seconds")
    cuts = statistics.quantiles(latencies[first:last], n=100, method="inclusive")
    return Figures(
        requests_per_second=(last - first) / elapsed,
        p50_ms=cuts[49] * 1e3,
        p99_ms=cuts[98] * 1e3,
        cpu_ms=cpu * 1e3 / (last - first),
    )
