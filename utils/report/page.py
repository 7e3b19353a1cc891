"""report.html: one file without scripts, from the values of report.json alone. Texts in it are escaped."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from utils.host import installed
from utils.report.report import Report
from utils.report.section import Figure, Section
from utils.report.sections import SECTIONS

TEMPLATES = Path(__file__).parent / "templates"
UNITS = ("B", "kB", "MB", "GB", "TB")


def page(report: Report) -> str:
    """The page. The plots are drawn here, so matplotlib is imported here at the earliest."""
    shown = [(section, report.sections[section.name]) for section in SECTIONS if section.name in report.sections]
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            version=installed.VERSION,
            figures=list(itertools.chain.from_iterable(_figures(*each) for each in shown)),
            shown=[(section, value, _plots(section, value)) for section, value in shown],
        )
    )


def _figures(section: Section[Any], value: Any) -> Sequence[Figure]:
    return section.figures(value)


def _plots(section: Section[Any], value: Any) -> dict[str, Markup]:
    """They are the only values that are not escaped: plots.py escapes the texts in them."""
    return {name: Markup(svg) for name, svg in section.plots(value).items()}


def environment() -> jinja2.Environment:
    """Templates of this package; a name without a value fails."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"size": size, "seconds": seconds, "number": number}
    return made


def size(count: float) -> str:
    """Bytes as "1.23 MB"."""
    for unit in UNITS:
        if count < 1000 or unit == UNITS[-1]:
            break
        count /= 1000
    return f"{count:.3g} {unit}" if count < 1000 else f"{count:.0f} {unit}"


def seconds(value: float) -> str:
    """A time as "12.3 ms" or "1.2 s"."""
    return f"{value:.2g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def number(value: float) -> str:
    """A number with three digits; "0" for none."""
    return f"{value:.3g}"
