"""README.md: a model card in the format of the Hugging Face hub, from the values of report.json alone.

The front matter: https://huggingface.co/docs/hub/model-cards (its schema is checked by huggingface_hub's ModelCard).
"""

import re

import yaml

from utils.report.page import environment, figures
from utils.report.report import Report
from utils.report.sections import SECTIONS

LIBRARY = "triton"


def model_card(report: Report) -> str:
    """The card. Texts of the model stand in code spans and code blocks only, where Markdown has no meaning."""
    front = {"library_name": LIBRARY, "model_name": report.name}
    for section in SECTIONS:
        if section.name in report.sections:
            front |= section.card(report.sections[section.name])
    templates = environment()
    templates.filters |= {"code": code, "fenced": fenced}
    text = templates.get_template("model_card.md").render(
        report=report, sections=report.sections, figures=figures(report)
    )
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n{text}"


def code(text: object) -> str:
    """A code span (CommonMark 6.1): in one line, between more backticks than it holds."""
    line = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", str(text)).split()).replace("|", "\\|") or " "
    mark = "`" * (1 + _longest_run(line))
    return f"{mark} {line} {mark}" if "`" in line else f"{mark}{line}{mark}"


def fenced(text: str) -> str:
    """A code block between more backticks than it holds."""
    mark = "`" * max(3, 1 + _longest_run(text))
    return f"{mark}\n{text}\n{mark}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
