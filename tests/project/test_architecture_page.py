"""docs/architecture.md beside the code it describes."""

import re

from tests.unit.test_imports import ORDER
from utils import ROOT
from utils.host import errors

TEXT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_the_packages_are_in_the_order_of_the_import_rule():
    section = TEXT.split("## Packages of utils")[1].split("\n## ")[0]
    names = re.findall(r"(?m)^\| `?(\w+)`? \| ", section)
    assert names[1:] == [name or "entries" for name in ORDER]


def test_the_stages_have_the_exit_codes_of_the_errors():
    section = TEXT.split("| stage | fails with")[1].split("\n\n")[0]
    codes = {int(code) for code in re.findall(r"(?m)\| (\d+) \|$", section)}
    classes = [each for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "exit_code")]
    assert codes == {each.exit_code for each in classes if 2 <= each.exit_code <= 9}


def test_the_folders_exist():
    section = TEXT.split("## Other folders")[1].split("\n## ")[0]
    assert [
        name for name in re.findall(r"(?m)^\| `(\w+)/`", section) if name != "build" and not (ROOT / name).is_dir()
    ] == []


def test_the_glossary_is_sorted():
    terms = re.findall(r"(?m)^\| ([a-z ,]+) \|", TEXT.split("## Glossary")[1])[1:]
    assert terms == sorted(terms)
