"""Plots as SVG inside the page: text stays text, and colours follow the page's light or dark scheme.

A paint function draws on a matplotlib Axes, with the colours of COLOURS only:

    svg = plots.draw(lambda axes: axes.plot([1, 2], color=plots.COLOURS["plot"]), title="Accuracy by length")
"""

import html
import io
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from utils.host.cache_folder import cache_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Values that stand for variables of the style sheet (report.css) until the SVG is written.
COLOURS = {"ink": "#010203", "muted": "#010204", "line": "#010205", "plot": "#010206", "mark": "#010207"}
SIZE = (4.6, 3.1)  # inches; a phone is as wide as that
_FONT_FAMILY = re.compile(r"font-family: [^;\"]*")
_FONT = re.compile(r"font: ((?:\w+ )*[\d.]+px) [^;\"]*")


def draw(paint: Callable[["Axes"], None], *, title: str) -> str:
    """An <svg> element that readers of the page hear as `title`. Text in it is escaped, and `$` has no meaning."""
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder("matplotlib")))
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.figure import Figure

    with rc_context():
        rcdefaults()  # not what a matplotlibrc of the user says
        rcParams.update(_settings(title))
        figure = Figure(figsize=SIZE, layout="constrained")
        paint(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True)
    return _inline(written.getvalue(), title)


def powers_of_ten(axis: "Axis") -> None:
    """Labels of a logarithmic axis: matplotlib's own are formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def whole_numbers(axis: "Axis") -> None:
    """Labels of an axis that counts something."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(5, integer=True))


def _settings(title: str) -> dict[str, object]:
    ink, muted, line = (COLOURS[name] for name in ("ink", "muted", "line"))
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": title,  # the same plot has the same ids, another plot of the page has others
        "text.parse_math": False,
        "text.color": ink,
        "font.size": 10,
        "axes.edgecolor": line,
        "axes.labelcolor": muted,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": line,
        "grid.linewidth": 0.6,
        "xtick.color": line,
        "ytick.color": line,
        "xtick.labelcolor": muted,
        "ytick.labelcolor": muted,
        "legend.frameon": False,
    }


def _inline(svg: str, title: str) -> str:
    """The element without its prolog, metadata and size in points, with the page's fonts and colours."""
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    head, _, rest = svg.partition(">")
    head = re.sub(r' (width|height)="[\d.]+pt"', "", head)
    svg = f'{head} role="img" aria-label="{html.escape(title)}">{rest}'
    svg = _FONT.sub(r"font-size: \1", _FONT_FAMILY.sub("font-family: inherit", svg))
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # nothing refers to them, and every plot has the same
    svg = re.sub(r"\s*\n\s*", " ", svg)
    for name, value in COLOURS.items():
        svg = svg.replace(value, f"var(--{name})")
    return svg
