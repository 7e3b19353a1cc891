"""The plots of a run's figures: small PNG files, and the Markdown that shows each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contestant import LIMITS
from benchmarks.figures import Result, by_round, contestants_of, loads_of, middle
from benchmarks.loads import LOADS, PROTOCOLS

DPI = 80
PADDING_COMMAND = (
    "PYTHONPATH=. .venv/bin/python -m benchmarks.padding "
    "build/benchmark-fused/latest/model_repository/benchmark-fused/1"
)
# Shown by the plot of their own.
UNBATCHED = {"fused": "fused unbatched", "ensemble": "ensemble unbatched"}


@dataclass(frozen=True, kw_only=True)
class Plot:
    """`markdown` shows the file, with the command that makes it."""

    file: Path
    markdown: str


def draw(result: Result, folder: Path) -> Iterator[Plot]:
    """All of them, below `folder`."""
    import matplotlib

    matplotlib.use("Agg")
    for protocol in PROTOCOLS:
        names = [name for name in over_clients(result, protocol) if name not in UNBATCHED.values()]
        yield _lines(result, folder, f"throughput_{protocol}", protocol, names, "texts_per_second", "texts/s")
        served = [name for name in names if name not in LIMITS]
        yield _lines(result, folder, f"latency_{protocol}", protocol, served, "p99_ms", "p99 latency, ms")
    both = [name for pair in UNBATCHED.items() for name in pair]
    yield _lines(result, folder, "dynamic_batching", "grpc", both, "texts_per_second", "texts/s")
    yield _padding(result, folder)


def over_clients(result: Result, protocol: str) -> list[str]:
    """Who was asked mixed texts one by one over `protocol`."""
    loads = [load for load in loads_of(result) if load.startswith(f"mixed-{protocol}-") and load.endswith("x1")]
    return list(dict.fromkeys(name for load in loads for name in contestants_of(result, load)))


def points(result: Result, contestant: str, protocol: str, figure: str) -> dict[int, float]:
    """{clients: median of the rounds} for mixed texts, one a request."""
    found: dict[int, float] = {}
    for load in LOADS.values():
        if (load.texts, load.protocol, load.batch) == ("mixed", protocol, 1):
            value = middle(list(by_round(result, contestant, load.name, figure).values()))
            found |= {} if value is None else {load.clients: value}
    return found


def _lines(
    result: Result, folder: Path, name: str, protocol: str, contestants: Sequence[str], figure: str, unit: str
) -> Plot:
    from matplotlib import pyplot

    drawing, axes = pyplot.subplots(figsize=(8, 4))
    for each in contestants:
        found = points(result, each, protocol, figure)
        if found:
            style = ":" if each in LIMITS else "--" if each in UNBATCHED.values() else "-"
            axes.plot(list(found), list(found.values()), style, marker="o", markersize=4, label=each)
    title = f"{unit} over clients, mixed texts, {PROTOCOLS[protocol]}, one a request"
    axes.set(xlabel="clients", ylabel=unit, title=title, ylim=(0, None))
    if axes.get_lines():
        axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    command = f"benchmarks/run.sh --loads 'mixed-{protocol}-*x1'"
    if name == "dynamic_batching":
        title = "dynamic batching on and off (dashed), mixed texts, gRPC, one a request"
        axes.set_title(title)
        command += f" --contestants {' '.join(repr(each) if ' ' in each else each for each in contestants)}"
    return _saved(drawing, folder, name, title, command)


def _padding(result: Result, folder: Path) -> Plot:
    from matplotlib import pyplot

    drawing, axes = pyplot.subplots(figsize=(8, 4))
    kinds = result["padding"]
    ways = list(next(iter(kinds.values())))
    for number, way in enumerate(ways):
        places = [place + (number - (len(ways) - 1) / 2) * 0.2 for place in range(len(kinds))]
        axes.bar(places, [shares[way] * 100 for shares in kinds.values()], 0.19, label=way)
    title = "padding, per cent of the computed tokens, 32 texts waiting"
    axes.set_xticks(range(len(kinds)), [f"{kind} texts" for kind in kinds])
    axes.set(ylabel="per cent", title=title, ylim=(0, 100))
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return _saved(drawing, folder, "padding", title, PADDING_COMMAND)


def _saved(drawing: Any, folder: Path, name: str, title: str, command: str) -> Plot:
    from matplotlib import pyplot

    file = folder / f"performance_{name}.png"
    drawing.tight_layout()
    drawing.savefig(file, dpi=DPI)
    pyplot.close(drawing)
    return Plot(file=file, markdown=f"`{command}`\n\n![{title}]({file.name})\n")
