import re

import pytest

from utils.host import progress
from utils.host.errors import ExportError


def test_a_stage_is_one_line_with_its_seconds(capsys):
    with progress.stage("convert"):
        progress.note("a figure")
    captured = capsys.readouterr()
    assert captured.out == ""
    figure, line = captured.err.splitlines()
    assert figure == "  a figure"
    assert re.fullmatch(r"convert  \d+\.\d s", line)


def test_a_stage_that_is_interrupted_says_so_and_lets_the_interrupt_pass(capsys):
    with pytest.raises(KeyboardInterrupt), progress.stage("convert"):
        raise KeyboardInterrupt
    assert re.fullmatch(r"convert  failed after \d+\.\d s\n", capsys.readouterr().err)


class PanicException(BaseException):
    """As PyO3's, which no module exports."""


@pytest.mark.parametrize(
    "fault", [RuntimeError("odd"), KeyError("odd"), PanicException("odd"), ModuleNotFoundError("odd")]
)
def test_any_fault_of_a_stage_has_the_exit_code_of_the_stage(fault):
    with pytest.raises(ExportError, match="odd") as told, progress.stage("convert", ExportError):
        raise fault
    assert told.value.exit_code == 4
    assert told.value.__cause__ is fault


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
