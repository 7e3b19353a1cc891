import os

import pytest

from utils.components import load_shared


@pytest.fixture
def cpu_count(monkeypatch):
    module = load_shared("cpu_count")
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(8)))
    return module.cpu_count


@pytest.mark.parametrize(
    ("quota", "count"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8)],
)
def test_the_quota_of_the_container_counts(tmp_path, cpu_count, quota, count):
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cpu_count(tmp_path) == count


@pytest.mark.parametrize(("quota", "count"), [("-1", 8), ("300000", 3), ("10000", 1)])
def test_so_does_that_of_the_first_version_of_cgroups(tmp_path, cpu_count, quota, count):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    assert cpu_count(tmp_path) == count


def test_without_a_quota_it_is_what_the_process_may_run_on(tmp_path, cpu_count):
    assert cpu_count(tmp_path) == 8
    assert load_shared("cpu_count").cpu_count() <= len(os.sched_getaffinity(0))
