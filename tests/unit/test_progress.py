import re

import pytest

from utils import progress


def test_a_stage_is_one_line_with_its_seconds(capsys):
    with progress.stage("convert"):
        progress.note("a figure")
    captured = capsys.readouterr()
    assert captured.out == ""
    figure, line = captured.err.splitlines()
    assert figure == "  a figure"
    assert re.fullmatch(r"convert  \d+\.\d s", line)


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_a_stage_that_fails_says_so_and_lets_the_fault_pass(capsys, fault):
    with pytest.raises(fault), progress.stage("convert"):
        raise fault
    assert re.fullmatch(r"convert  failed after \d+\.\d s\n", capsys.readouterr().err)


def test_a_warning_is_marked(capsys):
    progress.warn("not proven")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "warning: not proven\n")


def test_on_a_terminal_the_running_stage_is_shown_and_then_overwritten(capsys, monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    with progress.stage("convert"):
        shown = capsys.readouterr().err
        progress.note("a figure")
    assert shown == "\rconvert ..."
    assert re.fullmatch(r"\r\x1b\[K  a figure\n\r\x1b\[Kconvert  \d+\.\d s\n", capsys.readouterr().err)
