"""Figures to a page: medians, ratios to the limit within each round, plots."""

import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]


def write_report(result: dict[str, Any], folder: Path) -> Path:
    """Writes `folder`/performance.md and its plots."""
    rows = best_limits(result["rows"])
    page = folder / "performance.md"
    parts = [
        "# Performance\n",
        "<!-- written by benchmarks/run.sh -->\n",
        f"Machine: {result['machine']}. Command: `benchmarks/run.sh {result['command']}`. Medians over rounds; "
        "`share` is the median of the ratios of texts a second to the limit of the same round. "
        "`CPU` is the server's processes' user and system time for a text. The clients share the machine.\n",
        *(section(load, rows) for load in loads_of(rows)),
        cold_starts(result["cold_start_seconds"]),
        plots(rows, folder),
    ]
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def best_limits(rows: Rows) -> Rows:
    """Of the limit's settings only the fastest of each load and round."""
    best: dict[object, dict[str, Any]] = {}
    others = []
    for row in rows:
        if row["contestant"] != "limit":
            others.append(row)
            continue
        key = (tuple(row["load"].values()), row["round"])
        if key not in best or row["texts_per_second"] > best[key]["texts_per_second"]:
            best[key] = row
    return [*best.values(), *others]


def loads_of(rows: Rows) -> list[tuple[Any, ...]]:
    """The loads, in the order in which they were run: (texts, protocol, clients, batch)."""
    return list(dict.fromkeys(tuple(row["load"].values()) for row in rows))


def section(load: tuple[Any, ...], rows: Rows) -> str:
    """The table of one load."""
    texts, protocol, clients, batch = load
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    limit = {row["round"]: row for row in rows if row["contestant"] == "limit" and tuple(row["load"].values()) == load}
    for row in rows:
        if tuple(row["load"].values()) == load:
            kept = figures[row["contestant"]]
            for name in ("texts_per_second", "cpu_ms_per_text", "p50_ms", "p99_ms", "rss_mb"):
                kept[name] += [row[name]] if name in row else []
            reference = limit[row["round"]]
            kept["share"].append(row["texts_per_second"] / reference["texts_per_second"])
            kept["cpu_share"].append(row["cpu_ms_per_text"] / reference["cpu_ms_per_text"])
    lines = [
        f"## {texts} texts, {protocol}, {clients} client{'s' * (clients > 1)}, {batch} a request\n",
        "| | texts/s | share | CPU ms/text | of the limit's | p50 ms | p99 ms | RSS MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, kept in figures.items():
        shown = [
            f"{statistics.median(kept[key]):.{digits}f}" if kept[key] else ""
            for key, digits in (
                ("texts_per_second", 0), ("share", 2), ("cpu_ms_per_text", 2), ("cpu_share", 2),
                ("p50_ms", 1), ("p99_ms", 1), ("rss_mb", 0),
            )
        ]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join([*lines, ""])


def cold_starts(seconds: dict[str, float]) -> str:
    """From the command to the first 200 of the health endpoint."""
    lines = ["## Cold start to ready, seconds\n", *(f"- {name}: {value:.1f}" for name, value in seconds.items()), ""]
    return "\n".join(lines)


def plots(rows: Rows, folder: Path) -> str:
    """Throughput and latency over clients; the Markdown that shows them."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = []
    for key, title in (("texts_per_second", "texts a second"), ("p99_ms", "p99 latency, ms")):
        figure, axes = pyplot.subplots(figsize=(7, 4))
        lines: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            load = row["load"]
            if load["texts"] == "mixed" and load["batch"] == 1 and load["protocol"] == "grpc" and key in row:
                lines[row["contestant"]][load["clients"]].append(row[key])
        for name, points in lines.items():
            clients = sorted(points)
            axes.plot(clients, [statistics.median(points[each]) for each in clients], marker="o", label=name)
        axes.set(xlabel="clients", ylabel=title, title="mixed texts, gRPC, one a request", ylim=(0, None))
        axes.legend()
        figure.tight_layout()
        figure.savefig(folder / f"performance_{key}.png", dpi=110)
        pyplot.close(figure)
        shown.append(f"![{title}](performance_{key}.png)\n")
    return "\n".join(shown)
