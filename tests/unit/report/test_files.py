"""The files of a report in a tree whose build goes on in another process."""

import pytest

from utils.host import progress
from utils.host.errors import RenderError
from utils.report.files import FILES, keep_warnings, remove_report
from utils.repository import build_record


def test_warnings_of_both_processes_are_kept_once(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.report.files.WARNINGS", ["of the conversion", "of both"])
    keep_warnings(tmp_path)
    monkeypatch.setattr("utils.report.files.WARNINGS", ["of both", "of the image"])
    keep_warnings(tmp_path)
    assert build_record.read(tmp_path)["warnings"] == ["of the conversion", "of both", "of the image"]


def test_a_printed_warning_is_kept(tmp_path, capsys):
    progress.warn("something odd")
    assert "warning: something odd" in capsys.readouterr().err
    keep_warnings(tmp_path)
    assert build_record.read(tmp_path)["warnings"][-1] == "something odd"


def test_an_earlier_report_is_removed(tmp_path):
    for name in (*FILES, "golden.json"):
        (tmp_path / name).touch()
    remove_report(tmp_path)
    remove_report(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["golden.json"]


def test_a_report_that_cannot_be_removed_is_named(tmp_path):
    (tmp_path / FILES[0]).mkdir()
    with pytest.raises(RenderError, match=FILES[0]):
        remove_report(tmp_path)
