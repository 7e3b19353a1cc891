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


def test_an_interrupted_stage_is_reported_and_raises(capsys):
    with pytest.raises(KeyboardInterrupt), progress.stage("convert"):
        raise KeyboardInterrupt
    assert re.fullmatch(r"convert  failed after \d+\.\d s\n", capsys.readouterr().err)


class PanicException(BaseException):
    """As the class of PyO3, which cannot be imported."""


@pytest.mark.parametrize(
    "fault", [RuntimeError("odd"), KeyError("odd"), PanicException("odd"), ModuleNotFoundError("odd")]
)
def test_any_fault_of_a_stage_has_its_exit_code(fault):
    with pytest.raises(ExportError, match="odd") as raised, progress.stage("convert", ExportError):
        raise fault
    assert raised.value.exit_code == 4
    assert raised.value.__cause__ is fault


def test_a_warning_is_marked(capsys):
    progress.warn("not proven")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "warning: not proven\n")


def test_a_kept_warning_can_be_written(monkeypatch):
    monkeypatch.setattr(progress, "WARNINGS", [])
    progress.warn("unknown setting \ud800 \u0645")
    assert [each.encode() for each in progress.WARNINGS] == ["unknown setting \\ud800 \u0645".encode()]


def test_a_terminal_shows_the_running_stage(capsys, monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    with progress.stage("convert"):
        shown = capsys.readouterr().err
        progress.note("a figure")
    assert shown == "\rconvert ..."
    assert re.fullmatch(r"\r\x1b\[K  a figure\n\r\x1b\[Kconvert  \d+\.\d s\n", capsys.readouterr().err)
