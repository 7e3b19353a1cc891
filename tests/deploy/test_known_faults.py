"""The table of known faults, and which release a server is of."""

import csv

import pytest

from deploy.supervisor import known_faults
from deploy.supervisor.settings import Settings
from utils import ROOT
from utils.targets.releases import TABLE


def has(release, word):
    return any(word in fault.name for fault in known_faults.harmful(release))


def test_each_row_names_its_source_and_a_range_of_releases():
    for fault in known_faults.FAULTS:
        assert fault.name and fault.source
        assert not (fault.first and fault.last) or fault.first <= fault.last


@pytest.mark.parametrize(
    ("word", "first", "last"),
    [
        ("Inference-Header-Content-Length", "26.06", "26.08"),
        ("Accept-Encoding", "22.12", "26.01"),
        ("classification", "22.12", "25.06"),
        ("shape", "22.12", "25.05"),
        ("nested", "22.12", "26.04"),
        ("HTTP bodies have no size limit", "22.12", "25.12"),
        ("chunk", "22.12", "26.04"),
        ("parameters", "22.12", "26.11"),
    ],
)
def test_a_fault_is_in_the_releases_of_its_range(word, first, last):
    with TABLE.open(encoding="utf-8", newline="") as table:
        releases = [row["release"] for row in csv.DictReader(table)]
    found = [release for release in releases if has(release, word)]
    assert found == [release for release in releases if first <= release <= last]


def test_the_documentation_lists_the_table():
    page = (ROOT / "docs/operations.md").read_text()
    for fault in known_faults.FAULTS:
        bounds = (f"from {fault.first}" if fault.first else "", f"to {fault.last}" if fault.last else "")
        releases = " ".join(bounds).strip().removeprefix("from " if all(bounds) else "") or "all"
        harms = "yes" if fault.is_harmful else "no"
        assert f"| {fault.name} | {releases} | {harms} | {fault.source} |\n" in page


def test_an_unknown_release_has_them_all():
    assert known_faults.harmful("") == [fault for fault in known_faults.FAULTS if fault.is_harmful]


@pytest.mark.parametrize("release", ["", "24.10", "26.05", "26.08", "27.01"])
def test_when_there_is_a_guard(release, monkeypatch):
    assert known_faults.needs_guard("always", release)
    assert known_faults.needs_guard("auto", release)
    assert not known_faults.needs_guard("never", release)
    monkeypatch.setattr(known_faults, "FAULTS", [known_faults.Fault("a", "", "26.07", "b")])
    assert known_faults.needs_guard("auto", release) == (release < "26.08")
    monkeypatch.setattr(known_faults, "FAULTS", [known_faults.Fault("a", "", "", "b", is_harmful=False)])
    assert not known_faults.needs_guard("auto", release)


def test_the_rules_of_the_guard_follow_the_release_and_the_key():
    plain = known_faults.rules(Settings(max_input_bytes=5), "26.08")
    assert (plain.max_bytes, plain.may_classify, plain.may_share) == (5, True, False)
    assert not known_faults.rules(Settings(), "25.06").may_classify
    assert not known_faults.rules(Settings(), "").may_classify
    assert known_faults.rules(Settings(admin_key="k"), "26.08").may_share


def test_triton_s_versions_are_releases():
    with TABLE.open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["triton"]]
    assert len(rows) > 40
    assert [known_faults.release_named(row["triton"]) for row in rows] == [row["release"] for row in rows]


@pytest.mark.parametrize("text", ["", "2.28.0", "3.0.0", "nightly", "26.08"])
def test_what_is_no_version_is_no_release(text):
    assert known_faults.release_named(text) == ""


def test_the_release_is_what_the_image_or_its_file_says(tmp_path):
    program = tmp_path / "bin/tritonserver"
    program.parent.mkdir()
    program.touch(mode=0o755)
    path = {"PATH": str(program.parent)}
    assert known_faults.release_of(path) == ""
    (tmp_path / "TRITON_VERSION").write_text("2.72.0\n")
    assert known_faults.release_of(path) == known_faults.release_of({}, str(program)) == "26.08"
    assert known_faults.release_of({**path, "TRITON_SERVER_VERSION": "2.51.0"}) == "24.10"
    named = {**path, "TRITON_SERVER_VERSION": "2.51.0", "NVIDIA_TRITON_SERVER_VERSION": "26.05"}
    assert known_faults.release_of(named) == "26.05"
    assert known_faults.release_of({**named, "NVIDIA_TRITON_SERVER_VERSION": "none"}) == "24.10"
