"""The release of a server, and the rules of the guard that depend on it."""

import csv

import pytest

from deploy.supervisor import release
from deploy.supervisor.settings import Settings
from utils.targets.releases import TABLE


def test_the_rules_of_the_guard_follow_the_release_and_the_key():
    plain = release.rules(Settings(max_input_bytes=5), "26.08")
    assert (plain.max_bytes, plain.may_classify, plain.may_share) == (5, True, False)
    assert not release.rules(Settings(), "25.06").may_classify
    assert not release.rules(Settings(), "").may_classify
    assert release.rules(Settings(admin_key="k"), "26.08").may_share


def test_triton_versions_map_to_releases():
    with TABLE.open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["triton"]]
    assert len(rows) > 30
    assert [release.release_named(row["triton"]) for row in rows] == [row["release"] for row in rows]


@pytest.mark.parametrize("text", ["", "2.28.0", "3.0.0", "nightly", "26.08"])
def test_an_invalid_version_has_no_release(text):
    assert release.release_named(text) == ""


def test_the_release_comes_from_the_environment_or_the_file(tmp_path):
    program = tmp_path / "bin/tritonserver"
    program.parent.mkdir()
    program.touch(mode=0o755)
    path = {"PATH": str(program.parent)}
    assert release.release_of(path) == ""
    (tmp_path / "TRITON_VERSION").write_text("2.72.0\n")
    assert release.release_of(path) == release.release_of({}, str(program)) == "26.08"
    assert release.release_of({**path, "TRITON_SERVER_VERSION": "2.51.0"}) == "24.10"
    named = {**path, "TRITON_SERVER_VERSION": "2.51.0", "NVIDIA_TRITON_SERVER_VERSION": "26.05"}
    assert release.release_of(named) == "26.05"
    assert release.release_of({**named, "NVIDIA_TRITON_SERVER_VERSION": "none"}) == "24.10"
