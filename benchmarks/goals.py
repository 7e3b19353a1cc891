"""What the figures should be: one row a goal, held against the run's figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.contestant import FP32, INT8
from benchmarks.contestants import CONTESTANTS
from benchmarks.figures import Result, middle, ratios

BUSY, BUSY_HTTP, WAITING = "mixed-grpc-32x1", "mixed-http-32x1", "mixed-grpc-1x1"
OURS = tuple(name for name, row in CONTESTANTS.items() if row.tree)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """`values`: the figures of a run, the median of which is to be `at_least`, or else `at_most`, this."""

    what: str
    values: Callable[[Result], list[float]]
    at_least: float | None = None
    at_most: float | None = None
    digits: int = 2

    def line(self, results: Sequence[Result]) -> str:
        """A line of the table: what, goal, and the figure of each result, bold if it misses the goal."""
        goal = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return f"| {self.what} | {goal} | {' | '.join(map(self._cell, results))} |"

    def _cell(self, result: Result) -> str:
        found = middle(self.values(result))
        if found is None:
            return "not measured"
        met = found >= self.at_least if self.at_least is not None else found <= (self.at_most or 0)
        text = f"{found:.{self.digits}f}"
        return text if met else f"**{text}**"


def ratio(
    of: str | tuple[str, ...], to: str, load: str = BUSY, figure: str = "texts_per_second"
) -> Callable[[Result], list[float]]:
    """The ratio of a figure, round by round."""
    return lambda result: ratios(result, (of,) if isinstance(of, str) else of, to, load, figure)


def alone(contestant: str, figure: str) -> Callable[[Result], list[float]]:
    """A figure of a server that was alone."""
    return lambda result: [row[figure]] if (row := result["alone"].get(contestant)) and figure in row else []


def memory(contestant: str) -> Callable[[Result], list[float]]:
    """Resident memory by that of the bare process."""

    def values(result: Result) -> list[float]:
        bare = alone(FP32, "rss_mb")(result)
        return [one / other for one, other in zip(alone(contestant, "rss_mb")(result), bare, strict=False)]

    return values


GOALS = (
    Goal(what="fused: texts/s, share of the limit", values=ratio("fused", FP32), at_least=0.95),
    Goal(
        what="fused: CPU per text, of the limit's", values=ratio("fused", FP32, figure="cpu_ms_per_text"), at_most=1.15
    ),
    Goal(what="fused: times the documented ensemble", values=ratio("fused", "documented ensemble"), at_least=1.6),
    Goal(what="fused: times fixed padding", values=ratio("fused", "fixed padding"), at_least=5),
    Goal(
        what="fused: p50 of one client, of a direct call's", values=ratio("fused", FP32, WAITING, "p50_ms"), at_most=1.3
    ),
    Goal(
        what="fused int8: p50 of one client, of a direct call's",
        values=ratio("fused int8", INT8, WAITING, "p50_ms"),
        at_most=1.3,
    ),
    Goal(what="fused int8: share of the limit in int8", values=ratio("fused int8", INT8), at_least=0.9),
    Goal(
        what="fused int8: times the documented ensemble", values=ratio("fused int8", "documented ensemble"), at_least=3
    ),
    Goal(what="fused int8: times FastAPI", values=ratio("fused int8", "FastAPI", BUSY_HTTP), at_least=11),
    Goal(what="fused int8: labels as PyTorch's", values=alone("fused int8", "agreement"), at_least=0.995, digits=4),
    Goal(
        what="best of ours, on a CPU with AMX: times the documented ensemble",
        values=ratio(OURS, "documented ensemble"),
        at_least=3.5,
    ),
    Goal(what="best of ours, on a CPU with AMX: times FastAPI", values=ratio(OURS, "FastAPI", BUSY_HTTP), at_least=11),
    Goal(what="fused: cold start to ready, seconds", values=alone("fused", "cold_start_seconds"), at_most=2),
    Goal(what="fused: resident memory, of the bare process's", values=memory("fused"), at_most=1.6),
    Goal(
        what="second build under another tag, seconds before `docker build`",
        values=lambda result: [result["second_build_seconds"]],
        at_most=3,
    ),
)
