"""The README's option table is the command's own --help."""

import os

from utils import ROOT
from utils.options.build_spec import make_parser

README = ROOT / "README.md"
BEGIN, END = "<!-- help: begin", "<!-- help: end -->"


def test_options_are_those_of_help(monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    comment, rest = rest.split("\n", 1)
    block, after = rest.split(END, 1)
    wanted = f"```\n{make_parser().format_help()}```\n"
    if os.environ.get("UPDATE_README") == "1":
        README.write_text(f"{before}{BEGIN}{comment}\n{wanted}{END}{after}", encoding="utf-8")
        return
    assert block == wanted, "run UPDATE_README=1 ./run_tests.sh tests/shell/test_readme.py"


def test_every_exit_code_of_the_error_tree_is_told():
    from utils.host import errors

    codes = {each.exit_code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "exit_code")}
    text = README.read_text(encoding="utf-8")
    for code in codes - {errors.FactoryError.exit_code}:
        assert f"| {code} |" in text
