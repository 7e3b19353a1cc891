import os

import pytest

from utils.repository.served_code import load_shared


@pytest.fixture
def cpu_count(monkeypatch):
    module = load_shared("container_limits")
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
def test_the_quota_of_cgroup_v1_counts(tmp_path, cpu_count, quota, count):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    assert cpu_count(tmp_path) == count


def test_without_a_quota_the_affinity_counts(tmp_path, cpu_count):
    assert cpu_count(tmp_path) == 8
    assert load_shared("container_limits").cpu_count() <= len(os.sched_getaffinity(0))


@pytest.fixture
def memory_bytes(monkeypatch):
    module = load_shared("container_limits")
    monkeypatch.setattr(module.os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.get)
    return module.memory_bytes


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(("limit", "most"), [("max", 4096000), ("65536", 65536), ("9223372036854771712", 4096000)])
def test_the_smaller_memory_of_container_and_machine_counts(tmp_path, memory_bytes, name, limit, most):
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(limit + "\n")
    assert memory_bytes(tmp_path) == most


def test_without_a_limit_the_memory_is_the_machine_s(tmp_path, memory_bytes):
    assert memory_bytes(tmp_path) == 4096000
