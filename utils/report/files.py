"""The files of the report in a build tree, and what they need of a build that is under way. Standard library only."""

from pathlib import Path

from utils.host.errors import RenderError
from utils.host.progress import WARNINGS
from utils.repository import build_record

REPORT_FILE, PAGE_FILE, CARD_FILE = "report.json", "report.html", "README.md"
FILES = (REPORT_FILE, PAGE_FILE, CARD_FILE)


def keep_warnings(tree: Path) -> None:
    """Adds this process's warnings to build.json: the image of a kept tree is built by another process."""
    known = build_record.read(tree).get("warnings", ())
    build_record.add(tree, warnings=list(dict.fromkeys([*known, *WARNINGS])))


def remove_report(tree: Path) -> None:
    """Removes an earlier report of a tree whose image is built again. RenderError if it cannot be removed."""
    for name in FILES:
        try:
            (tree / name).unlink(missing_ok=True)
        except OSError as error:
            raise RenderError(f"{str(tree / name)!r} cannot be removed ({error.strerror})") from error
