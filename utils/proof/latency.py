"""Measures a proven server for about three seconds: the latency that one client and several see, over HTTP."""

import http.client
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from utils.host.machine import machine
from utils.host.progress import note, warn
from utils.proof import measured
from utils.proof.golden import GoldenRow
from utils.proof.golden_file import read_golden
from utils.proof.measured import Latency
from utils.proof.verify import CLIENT_TIMEOUT, infer_input, stacked
from utils.repository.context import GOLDEN_FILE
from utils.repository.pipeline import Pipeline
from utils.triton.address import ServerAddress

CLIENTS = (1, 8)
# Of each number of clients; a request that has begun is finished.
SECONDS = 1.4
WARM_UP = 3


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it is sent, with the headers of Triton's binary form."""

    path: str
    body: bytes
    headers: dict[str, str]


def measure_and_record(address: ServerAddress, tree: Path, pipeline: Pipeline) -> None:
    """The latencies go into measured.json. A failed request ends the measurement with a warning: the proof stands."""
    row = usual_row([each for each in read_golden(tree / GOLDEN_FILE).rows if each.model == pipeline.model_name])
    request = as_request(row)
    try:
        _send(address, request, count=WARM_UP)
        latencies = tuple(_latency(address, request, clients) for clients in CLIENTS)
    except (OSError, http.client.HTTPException) as error:
        warn(f"the latency was not measured: a request failed ({error})")
        return
    measured.add(tree, machine=machine(), characters=_size(row), latencies=latencies)
    shown = (f"{1000 * each.median:.1f} ms at {each.clients} client{'s'[: each.clients - 1]}" for each in latencies)
    note(f"median latency over HTTP: {', '.join(shown)}")


def usual_row(rows: Sequence[GoldenRow]) -> GoldenRow:
    """The request of median length."""
    return sorted(rows, key=_size)[len(rows) // 2]


def _size(row: GoldenRow) -> int:
    """Characters of its texts, and of its numbers as they are written."""
    values = (each.data if each.datatype == "BYTES" else [str(each.data)] for each in row.inputs.values())
    return sum(len(value) for data in values for value in data)


def as_request(row: GoldenRow) -> Request:
    """A request of one row, made once: what is measured is the server, not the client."""
    import tritonclient.http as client

    inputs = [infer_input(client, name, stacked([value], row.batched)) for name, value in row.inputs.items()]
    body, json_size = client.InferenceServerClient.generate_request_body(
        inputs, parameters=dict(row.parameters) or None
    )
    headers = {} if json_size is None else {"Inference-Header-Content-Length": str(json_size)}
    return Request(path=f"/v2/models/{row.path}/infer", body=body, headers=headers)


def _latency(address: ServerAddress, request: Request, clients: int) -> Latency:
    together = threading.Barrier(clients)
    started = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        waiting = [pool.submit(_send, address, request, together=together) for _ in range(clients)]
        seconds = [each for thread in waiting for each in thread.result()]
    elapsed = time.monotonic() - started
    return Latency(
        clients=clients,
        requests=len(seconds),
        median=median(seconds),
        percentile_95=quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0],
        per_second=len(seconds) / elapsed,
    )


def _send(
    address: ServerAddress, request: Request, *, count: int = 0, together: threading.Barrier | None = None
) -> list[float]:
    """Sends the request `count` times, or at least once and for SECONDS, over one connection; seconds of each."""
    connection = http.client.HTTPConnection(address.http, timeout=CLIENT_TIMEOUT)
    taken: list[float] = []
    try:
        connection.connect()
        if together:
            together.wait(CLIENT_TIMEOUT)
        deadline = time.monotonic() + SECONDS
        while len(taken) < count or (not count and (not taken or time.monotonic() < deadline)):
            started = time.monotonic()
            connection.request("POST", request.path, request.body, request.headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != http.client.OK:
                raise OSError(f"HTTP status {response.status}: {answer[:200]!r}")
            taken.append(time.monotonic() - started)
        return taken
    finally:
        connection.close()
