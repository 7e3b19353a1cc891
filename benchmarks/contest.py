"""Settings beside the one to beat, in interleaved rounds; and from knob to knob, always on with the best so far."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.closed_loop import Figures
from utils.host.errors import BootProofError
from utils.host.progress import note

# {name of a knob: value}
Setting = Mapping[str, int]
# One for each number of clients.
Measured = Sequence[Figures]
Measure = Callable[[Setting], Measured]

HEAD = "| setting | clients | requests/s | p50 ms | p99 ms | CPU ms/request | gain |"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One setting: the medians of its rounds, and of its speed beside that of the one to beat."""

    setting: Setting
    figures: Measured
    gain: float


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What the rounds showed. `rows`: the setting to beat, then those that challenged it.

    `noise`: how far the setting to beat was from itself, where a round began and where it ended, at most.
    """

    rows: tuple[Row, ...]
    noise: float

    @property
    def winner(self) -> Row | None:
        """The fastest, if it is ahead by more than the noise."""
        best = max(self.rows[1:], key=lambda row: row.gain, default=None)
        return best if best and best.gain > 1 + self.noise else None


@dataclass(frozen=True, kw_only=True)
class Descent:
    """The best setting found, the knobs that were tried, and those for which there was no time."""

    best: Setting
    tried: tuple[str, ...]
    untried: tuple[str, ...]


def measurements(challengers: int, rounds: int) -> int:
    """How many a contest takes: each round begins and ends with the setting to beat."""
    return (challengers + 2) * rounds


def contest(incumbent: Setting, challengers: Sequence[Setting], measure: Measure, rounds: int) -> Contest:
    """A challenger that cannot be served (of too many instances, say) drops out."""
    firsts: list[Measured] = []
    lasts: list[Measured] = []
    runs: dict[int, list[Measured]] = {place: [] for place in range(len(challengers))}
    for _ in range(rounds):
        firsts.append(measure(incumbent))
        for place in list(runs):
            try:
                runs[place].append(measure(challengers[place]))
            except BootProofError as error:
                note(f"{say(challengers[place])} cannot be served: {str(error).splitlines()[-1]}")
                del runs[place]
        lasts.append(measure(incumbent))
    rows = [Row(setting=incumbent, figures=_medians([*firsts, *lasts]), gain=1.0)]
    for place, measured in runs.items():
        gain = statistics.median(map(_gain, measured, firsts, lasts))
        rows.append(Row(setting=challengers[place], figures=_medians(measured), gain=gain))
    noise = max(abs(math.log(speed(first, last))) for first, last in zip(firsts, lasts, strict=True))
    return Contest(rows=tuple(rows), noise=math.exp(noise) - 1)


def speed(measured: Measured, reference: Measured) -> float:
    """Requests a second as a multiple of the reference's: the geometric mean over the numbers of clients.

    Of one client that waits for each answer they are the inverse of the latency.
    """
    ratios = [a.requests_per_second / b.requests_per_second for a, b in zip(measured, reference, strict=True)]
    return statistics.geometric_mean(ratios)


def _gain(measured: Measured, first: Measured, last: Measured) -> float:
    """Beside what the setting to beat did before and after it, in the middle between the two."""
    return math.sqrt(speed(measured, first) * speed(measured, last))


def _medians(runs: Sequence[Measured]) -> Measured:
    return [Figures.median(each) for each in zip(*runs, strict=True)]


def descend(
    start: Setting,
    knobs: Mapping[str, Sequence[Setting]],
    measure: Measure,
    *,
    rounds: int,
    fits: Callable[[int], bool],
    show: Callable[[str, Contest], None],
) -> Descent:
    """One knob after the other, each with the best of those before it.

    `knobs`: what to change for each value of a knob that is worth a try. `fits`: is there time for so many
    measurements? `show` is given each knob's contest.
    """
    best = start
    tried: list[str] = []
    untried: list[str] = []
    for name, changes in knobs.items():
        challengers = [{**best, **change} for change in changes if change[name] != best[name]]
        if not challengers:
            continue
        # The last contest, of the best and the start, must still find its time.
        if not fits(measurements(len(challengers), rounds) + measurements(1, rounds)):
            untried.append(name)
            continue
        held = contest(best, challengers, measure, rounds)
        tried.append(name)
        show(name, held)
        best = held.winner.setting if held.winner else best
    return Descent(best=best, tried=tuple(tried), untried=tuple(untried))


def say(setting: Setting) -> str:
    """As it is read in a table."""
    return ", ".join(f"{name} {value}" for name, value in setting.items())


def changed(start: Setting, setting: Setting) -> Setting:
    """What of `setting` is not as in `start`."""
    return {name: value for name, value in setting.items() if value != start[name]}


def as_table(what: str, held: Contest, clients: Sequence[int]) -> str:
    """Markdown: a line for each setting and number of clients."""
    beaten = held.rows[0]
    lines = [f"\n{what}: noise {100 * held.noise:.1f}%\n", HEAD, "|---|---|---|---|---|---|---|"]
    for row in held.rows:
        label = say(changed(beaten.setting, row.setting)) or "to beat"
        gain = f"{row.gain:.2f}{' wins' if row is held.winner else ''}"
        for count, each in zip(clients, row.figures, strict=True):
            numbers = f"{each.requests_per_second:.0f} | {each.p50_ms:.1f} | {each.p99_ms:.1f} | {each.cpu_ms:.2f}"
            lines.append(f"| {label} | {count} | {numbers} | {gain} |")
    return "\n".join([*lines, ""])
