"""Draws what measure.py wrote, and writes the page on it: `plot.py RESULTS.csv PAGE.md "about the machine"`."""

import csv
import statistics
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Measured = dict[tuple[str, str], list[dict[str, str]]]
COLORS = {"off": "#9aa5b1", "on": "#2b6cb0"}


def main() -> None:
    """PAGE.md, and PAGE.png beside it."""
    results, page, machine = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    measured: Measured = defaultdict(list)
    with results.open(newline="") as file:
        for row in csv.DictReader(file):
            measured[row["lengths"], row["dynamic_batching"]].append(row)
    draw(measured, page.with_suffix(".png"))
    page.write_text(text(measured, page.with_suffix(".png").name, machine), encoding="utf-8")


def numbers(rows: list[dict[str, str]], column: str) -> list[float]:
    """One number a round."""
    return [float(row[column]) for row in rows]


def draw(measured: Measured, file: Path) -> None:
    """Throughput: a bar for the median of the rounds, a dot for each."""
    figure, axes = plt.subplots(figsize=(7, 4))
    lengths = list(dict.fromkeys(length for length, _ in measured))
    for offset, (batching, color) in enumerate(COLORS.items()):
        for place, length in enumerate(lengths):
            rates = numbers(measured[length, batching], "requests_per_second")
            position = place + 0.38 * (offset - 0.5)
            label = f"dynamic batching {batching}" if place == 0 else None
            axes.bar(position, statistics.median(rates), 0.36, color=color, label=label)
            axes.scatter([position] * len(rates), rates, color="black", s=12, zorder=3)
    axes.set_xticks(range(len(lengths)), [f"{length} length" for length in lengths])
    axes.set_ylabel("requests per second")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def text(measured: Measured, picture: str, machine: str) -> str:
    """The page: how it was measured, and the medians."""
    rows = next(iter(measured.values()))
    loads = [load for each in measured.values() for load in numbers(each, "load")]
    failures = int(sum(sum(numbers(rows, "failures")) for rows in measured.values()))
    lines = [
        "# Dynamic batching before and after",
        "",
        "This page compares the throughput of an embedding model with and without dynamic batching.",
        "",
        f"Embeddings of MiniLM-L6 by ONNX Runtime, {rows[0]['users']} users of Locust without pauses, one text of 3 to "
        f"24 words a request, {len(rows)} interleaved rounds. {machine} {failures} requests failed.",
        f"The machine's load was {min(loads):.0f} to {max(loads):.0f} at the end of the runs, including the benchmark. "
        "If the load is far above the number of cores, other work affects every number. Then compare only runs of the "
        "same round: they follow one another.",
        "",
        f"![requests per second, dynamic batching off and on]({picture})",
        "",
        "| lengths | dynamic batching | requests/s: median (lowest to highest) | p50 ms | p95 ms |",
        "|---|---|---|---|---|",
    ]
    for (length, batching), each in measured.items():
        rates = numbers(each, "requests_per_second")
        p50, p95 = (statistics.median(numbers(each, column)) for column in ("p50_ms", "p95_ms"))
        spread = f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"
        lines.append(f"| {length} | {batching} | {spread} | {p50:.0f} | {p95:.0f} |")
    lines += ["", "| lengths | on / off, round by round | with dynamic batching |", "|---|---|---|"]
    for length in dict.fromkeys(length for length, _ in measured):
        pairs = zip(*(numbers(measured[length, each], "requests_per_second") for each in ("on", "off")), strict=True)
        ratios = [on / off for on, off in pairs]
        lines.append(f"| {length} | {', '.join(f'{ratio:.2f}' for ratio in ratios)} | {verdict(ratios)} |")
    return "\n".join([*lines, "", NOTES.strip(), ""])


def verdict(ratios: list[float]) -> str:
    """Only what every round says."""
    if all(ratio > 1 for ratio in ratios):
        return "more requests in every round"
    return "fewer in every round" if all(ratio < 1 for ratio in ratios) else "no difference that every round shows"


NOTES = """
Triton merges requests of equal shapes only. With *free* lengths (the default), a request is padded to its own longest
text. So only texts with the same number of tokens share a batch. With *fixed* lengths (`--sequence-length 32`), all
texts share batches, but padding is computed too. A batch is faster if one request does not use all of the machine's
processors. The gain is smaller on a few cores that are already busy. Measure your own model with
`benchmarks/dynamic_batching/run.sh MODEL`.
"""


if __name__ == "__main__":
    main()
