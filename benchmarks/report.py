"""The page: goals, a table for each load, the servers alone, plots; each with the command that makes it."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks import plots
from benchmarks.contestant import LIMITS
from benchmarks.contestants import CONTESTANTS
from benchmarks.figures import Result, by_round, contestants_of, loads_of, middle, ratios
from benchmarks.goals import BUSY, GOALS
from benchmarks.loads import LOADS
from benchmarks.measure import Figures, best
from utils.convert.agreement import TIE

NOTES = Path(__file__).with_name("notes.md")
COLUMNS = {
    "texts_per_second": 0,
    "cpu_ms_per_text": 2,
    "clients_cpu_ms_per_text": 2,
    "p50_ms": 1,
    "p99_ms": 1,
}  # {figure: digits shown}
SHARES = ("texts_per_second", "cpu_ms_per_text")
HEADS = ("texts/s", "of the limit", "CPU ms/text", "of the limit's", "clients' CPU ms/text", "p50 ms", "p99 ms")
ALONE = {
    "cold start to ready, s": ("cold_start_seconds", ".1f"),
    "memory (PSS), MB": ("rss_mb", ".0f"),
    "CPU when idle": ("idle_cpu_percent", ".1f"),
    "same label": ("same_label", ".2%"),
    "same but for ties": ("agreement", ".2%"),
    "on top of the base image, MB": ("size_mb", ".0f"),
}


def write_report(results: Mapping[str, Result], newest: str, folder: Path) -> Path:
    """Writes `folder`/performance.md and the plots of `newest`. results: {kind of processor: figures}."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "performance.md"
    result = results[newest]
    parts = [
        "<!-- Written by benchmarks/run.sh; the prose is benchmarks/notes.md. -->",
        "# Performance\n",
        "This page compares the factory's servers with others.\n",
        goals(results),
        contestants(result),
        *(part for kind, each in results.items() for part in machine(kind, each)),
        "## Plots\n",
        f"Machine: {result['machine']}.\n",
        *(drawn.markdown for drawn in plots.draw(result, folder)),
        NOTES.read_text(encoding="utf-8"),
    ]
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def goals(results: Mapping[str, Result]) -> str:
    """Each goal, and the figure on each kind of processor."""
    return _section(
        2,
        "Goals",
        f"Each ratio is the median of the ratios within one round, for {LOADS[BUSY]} (FastAPI: HTTP; p50: 1 client). "
        "A column is a kind of processor. A figure in bold misses its goal.",
        "",
        ("goal", *results),
        [goal.line(list(results.values())) for goal in GOALS],
    )


def machine(kind: str, result: Result) -> list[str]:
    """The tables of one kind of processor."""
    return [
        f"## Figures: {kind}\n",
        f"Machine: {result['machine']}. Command: `{result['command']}`, {result['rounds']} rounds, "
        f"{result['seconds']:g} s per measurement.\n",
        servers_alone(result),
        *(load_table(load, result) for load in loads_of(result)),
        limit_settings(result),
    ]


def contestants(result: Result) -> str:
    """What each row is. Unavailable contestants have the reason."""
    measured = {row["contestant"] for row in result["rows"]}
    rows = {name: row.what for name, row in LIMITS.items()}
    rows |= {name: ("this factory: " if row.tree else "") + row.what for name, row in CONTESTANTS.items()}
    lines = [f"| {name} | {what} |" for name, what in rows.items() if name in measured]
    lines += [f"| {name} | {CONTESTANTS[name].what}; **{reason}** |" for name, reason in result["unavailable"].items()]
    return _section(2, "Contestants", "", "", ("what",), lines)


def servers_alone(result: Result) -> str:
    """One server on the machine at a time."""
    lines = []
    for name, figures in result["alone"].items():
        cells = (format(figures[key], digits) if key in figures else "" for key, digits in ALONE.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    words = (
        "Memory is the proportional set size of all processes of a server after the run with 32 clients. The CPU of "
        "an idle server is in percent of one processor. Labels are compared with PyTorch's on "
        f"{result['texts_compared']} texts. A tie is a label whose score in PyTorch is within {TIE} of the best "
        "label's."
    )
    return _section(3, "Each server by itself", words, "", tuple(ALONE), lines)


def load_table(load: str, result: Result) -> str:
    """The table of one load."""
    lines = []
    for name in contestants_of(result, load):
        limit = CONTESTANTS[name].limit if name in CONTESTANTS else name
        cells = []
        for figure, digits in COLUMNS.items():
            cells.append(_number(middle(list(by_round(result, name, load, figure).values())), digits))
            if figure in SHARES:
                cells.append(_number(middle(ratios(result, (name,), limit, load, figure)), 2))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    title = str(LOADS[load])
    return _section(3, title[0].upper() + title[1:], "", f"benchmarks/run.sh --loads {load}", HEADS, lines)


def limit_settings(result: Result) -> str:
    """Which arrangement is the best without a server."""
    lines = []
    for name, kinds in result["limits_tried"].items():
        for kind, tried in kinds.items():
            speeds = ", ".join(f"{_setting(figures)}: {figures['texts_per_second']:.0f}" for figures in tried)
            lines.append(f"| {name}, {kind} | {_setting(best(tried))} | {speeds} |")
    words = (
        "Each setting is sessions x parallel runs, most tokens in a run, texts sorted together; + means that idle "
        "threads spin, - that ONNX Runtime does not fuse additions into layer norms. The sessions share the "
        "processors. The figures are texts/s. The limit is the fastest setting; among equally fast ones, the one with "
        "the least processor time."
    )
    return _section(3, "The arrangements of the limits", words, "", ("best", "tried"), lines)


def _setting(figures: Figures) -> str:
    each = figures["setting"]
    spins = "+" * each["spinning"]
    plain = "" if each.get("skip_norm", 1) else "-"
    return f"{each['sessions']}x{each['parallel']}{spins}{plain} {each['token_budget']} {each['window']}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _section(level: int, title: str, words: str, command: str, heads: tuple[str, ...], lines: list[str]) -> str:
    head = [f"{'#' * level} {title}", "", *([words, ""] if words else []), *([f"`{command}`", ""] if command else [])]
    return "\n".join([*head, f"| | {' | '.join(heads)} |", f"|{'---|' * (len(heads) + 1)}", *lines, ""])
