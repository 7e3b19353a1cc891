"""The evaluation on --eval-file: metrics before and after, confusion, calibration, lengths, and the worst rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from utils.evaluation.evaluation import Evaluation, read_evaluation
from utils.report import plots
from utils.report.plots import COLOURS
from utils.report.section import Figure, Finished
from utils.report.units import metric, metric_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_LABEL = 18


def make(finished: Finished) -> Evaluation | None:
    """From evaluation.json; None for a build without --eval-file."""
    return read_evaluation(finished.tree)


def figures(evaluation: Evaluation) -> Sequence[Figure]:
    """The headline metric of the served model, with PyTorch's beside it."""
    name = evaluation.headline
    label, before = metric_name(name), metric(evaluation.before[name], name)
    if evaluation.after is None:
        return (Figure(label=label, value=before, note="PyTorch; the server was not asked"),)
    return (Figure(label=label, value=metric(evaluation.after[name], name), note=f"served; PyTorch {before}"),)


def drawn(evaluation: Evaluation) -> Mapping[str, str]:
    """confusion, calibration and lengths, each where there is something to see."""
    paints: dict[str, tuple[str, Callable[[Axes], None]]] = {}
    if evaluation.confusion and len(evaluation.confusion.labels) > 1:
        paints["confusion"] = ("Confusion matrix", lambda axes: _confusion(axes, evaluation))
    if evaluation.calibration:
        paints["calibration"] = ("Calibration", lambda axes: _calibration(axes, evaluation))
    if any(each.value is not None for each in evaluation.by_length):
        paints["lengths"] = (f"{metric_name(evaluation.headline)} by length", lambda axes: _lengths(axes, evaluation))
    return {name: plots.draw(paint, title=title) for name, (title, paint) in paints.items()}


def _confusion(axes: "Axes", evaluation: Evaluation) -> None:
    """A square for each pair, as strong as its share of the rows with that right label."""
    from matplotlib.patches import Rectangle

    assert evaluation.confusion
    names = [_short(label) for label in evaluation.confusion.labels]
    size = len(names)
    for row, counts in enumerate(evaluation.confusion.counts):
        for column, count in enumerate(counts):
            share = count / max(1, sum(counts))
            colour = COLOURS["plot" if row == column else "mark"]
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, alpha=0.6 * share, linewidth=0))
            if count and size <= 10:
                axes.text(column, row, str(count), ha="center", va="center", color=COLOURS["ink"])
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xlabel="given", ylabel="right")
    axes.set_xticks(range(size), names, rotation=90 if size > 4 else 0)
    axes.set_yticks(range(size), names)
    axes.grid(visible=False)


def _calibration(axes: "Axes", evaluation: Evaluation) -> None:
    """The share of right answers over their mean score; perfect scores are on the diagonal."""
    assert evaluation.calibration
    bins = evaluation.calibration.bins
    largest = max(each.answers for each in bins)
    axes.plot([0, 1], [0, 1], color=COLOURS["line"], linewidth=1)
    axes.plot([each.score for each in bins], [each.right for each in bins], color=COLOURS["plot"], linewidth=1.2)
    sizes = [10 + 60 * each.answers / largest for each in bins]
    axes.scatter([each.score for each in bins], [each.right for each in bins], s=sizes, color=COLOURS["plot"])
    axes.set(xlim=(0, 1.02), ylim=(-0.03, 1.03), xlabel="score", ylabel="share that is right")


def _lengths(axes: "Axes", evaluation: Evaluation) -> None:
    """The headline metric in each bin, with its rows."""
    bins = evaluation.by_length
    names = [f"> {each.least - 1}" if each.most is None else f"{each.least}–{each.most}" for each in bins]
    heights = [each.value or 0.0 for each in bins]
    axes.bar(range(len(bins)), heights, color=COLOURS["plot"], width=0.6)
    for place, each in enumerate(bins):
        axes.text(place, max(0.0, heights[place]), f"n={each.rows}", ha="center", va="bottom", color=COLOURS["muted"])
    axes.set(xlim=(-0.6, max(len(bins), 3) - 0.4), xlabel="tokens", ylabel=metric_name(evaluation.headline))
    axes.set_xticks(range(len(bins)), names, rotation=30 if len(bins) > 5 else 0)
    axes.set_ylim(min([0.0, *heights]), max([1.0, *heights]) * 1.08)
    axes.grid(visible=False, axis="x")


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
