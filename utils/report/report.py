"""report.json: the values of all sections. report.html and the model card are made from it alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host import json_values, source_date
from utils.host.errors import RenderError
from utils.report.section import Finished
from utils.report.sections import SECTIONS

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Report:
    """`created`: the time of the build, in RFC 3339. `sections`: {name of a row of SECTIONS: its value}."""

    name: str
    tag: str
    created: str
    sections: Mapping[str, Any]


def make_report(finished: Finished) -> Report:
    """The report of a finished build, without the sections that have nothing to show."""
    made = {section.name: section.make(finished) for section in SECTIONS}
    return Report(
        name=finished.context.pipeline.model_name,
        tag=finished.context.image.rpartition(":")[2],
        created=source_date.as_text(source_date.now()),
        sections={name: value for name, value in made.items() if value is not None},
    )


def as_json(report: Report) -> str:
    """The content of report.json."""
    content = {"format": FORMAT, **json_values.converter().unstructure(report)}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def read_report(file: Path) -> Report:
    """The report in a file; RenderError for one that this version did not write."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        written, sections = content.pop("format", None), content.pop("sections")
        structure = json_values.converter().structure
        values = {each.name: structure(sections[each.name], each.kind) for each in SECTIONS if each.name in sections}
        report = structure({**content, "sections": {}}, Report)
    except json_values.invalid(OSError, KeyError) as error:
        reason = json_values.reason(error)
        raise RenderError(f"report {str(file)!r} cannot be read ({reason}); build the model again") from error
    if written != FORMAT:
        raise RenderError(f"report {str(file)!r} has format {written!r}, not {FORMAT}; build the model again")
    return Report(name=report.name, tag=report.tag, created=report.created, sections=values)
