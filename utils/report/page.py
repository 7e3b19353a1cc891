"""report.html: one file without scripts, from the values of report.json alone. Texts in it are escaped."""

from pathlib import Path

import jinja2
from markupsafe import Markup

from utils.host import installed
from utils.report.report import Report
from utils.report.section import Figure
from utils.report.sections import SECTIONS
from utils.report.units import metric, metric_name, number, percent, seconds, size

TEMPLATES = Path(__file__).parent / "templates"


def page(report: Report) -> str:
    """The page. The plots are drawn here, so matplotlib is imported here at the earliest."""
    shown = [(section, report.sections[section.name]) for section in SECTIONS if section.name in report.sections]
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            version=installed.VERSION,
            figures=figures(report),
            # The only values that are not escaped: plots.py escapes the texts in them.
            shown=[
                (section, value, {name: Markup(svg) for name, svg in section.plots(value).items()})
                for section, value in shown
            ],
        )
    )


def figures(report: Report) -> list[Figure]:
    """The numbers at the top of the page, of all sections."""
    values = ((section, report.sections.get(section.name)) for section in SECTIONS)
    return [figure for section, value in values if value is not None for figure in section.figures(value)]


def environment() -> jinja2.Environment:
    """Templates of this package; a name without a value fails."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {each.__name__: each for each in (size, seconds, number, percent, metric, metric_name)}
    return made
