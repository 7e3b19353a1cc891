"""The figures of a run, looked up: medians over rounds, and ratios, each within one round."""

from collections.abc import Sequence
from statistics import median
from typing import Any

Result = dict[str, Any]  # as benchmarks/run.py writes it


def by_round(result: Result, contestant: str, load: str, figure: str) -> dict[int, float]:
    """{round: figure}; empty where it was not measured."""
    return {
        row["round"]: row[figure]
        for row in result["rows"]
        if row["contestant"] == contestant and row["load"] == load and figure in row
    }


def ratios(result: Result, of: Sequence[str], to: str, load: str, figure: str) -> list[float]:
    """One a round: the largest figure of the contestants `of`, divided by that of `to`."""
    numerators = [by_round(result, name, load, figure) for name in of]
    others = by_round(result, to, load, figure)
    found = []
    for number, other in others.items():
        here = [values[number] for values in numerators if number in values]
        found += [max(here) / other] if here else []
    return found


def middle(values: Sequence[float]) -> float | None:
    """Their median; None of nothing."""
    return median(values) if values else None


def loads_of(result: Result) -> list[str]:
    """The loads, in the order in which they were run."""
    return list(dict.fromkeys(row["load"] for row in result["rows"]))


def contestants_of(result: Result, load: str) -> list[str]:
    """Who was asked with that load, likewise; the limits come first."""
    return list(dict.fromkeys(row["contestant"] for row in result["rows"] if row["load"] == load))
