"""docs/usage.md: the block of options is the command's --help, and every exit code is explained."""

import os

from utils import ROOT
from utils.host import errors
from utils.options.command_line import make_parser

USAGE = ROOT / "docs/usage.md"
BEGIN, END = "<!-- help: begin", "<!-- help: end -->"


def test_options_are_those_of_help(monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    text = USAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    comment, rest = rest.split("\n", 1)
    block, after = rest.split(END, 1)
    expected = f"```\n{make_parser().format_help()}```\n"
    if os.environ.get("UPDATE_USAGE") == "1":
        USAGE.write_text(f"{before}{BEGIN}{comment}\n{expected}{END}{after}", encoding="utf-8")
        return
    assert block == expected, "run UPDATE_USAGE=1 ./run_tests.sh tests/project/test_usage_page.py"


def test_every_exit_code_of_the_error_classes_is_explained():
    codes = {each.exit_code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "exit_code")}
    text = USAGE.read_text(encoding="utf-8")
    for code in codes - {errors.FactoryError.exit_code}:
        assert f"| {code} |" in text
