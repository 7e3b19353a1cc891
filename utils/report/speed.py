"""The speed, as it was measured at the end of the boot proof."""

from collections.abc import Sequence

from utils.proof.measured import Measured
from utils.report.section import Figure, Finished
from utils.report.units import seconds


def make(finished: Finished) -> Measured | None:
    """None if nothing was measured."""
    measured = finished.measured
    return measured if measured != Measured() else None


def figures(measured: Measured) -> Sequence[Figure]:
    """The median latency of one client, the throughput of several, and the cold start."""
    found = []
    for latency in measured.latencies:
        if latency.clients == 1:
            found.append(Figure(label="Latency", value=seconds(latency.median), note="median, 1 client"))
        else:
            value = f"{latency.per_second:,.0f}/s"
            found.append(Figure(label="Throughput", value=value, note=f"{latency.clients} clients"))
    if measured.ready_seconds is not None:
        found.append(Figure(label="Cold start", value=seconds(measured.ready_seconds), note="until ready"))
    return found
