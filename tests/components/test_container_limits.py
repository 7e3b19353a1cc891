import json
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


def args(count, number):
    return {
        "model_config": json.dumps({"instance_group": [{"count": count}]}),
        "model_instance_name": f"my_model_0_{number}",
    }


@pytest.fixture
def limits(tmp_path, monkeypatch):
    """limits(*cpulists): the module on a machine of 8 CPUs with these NUMA nodes; `bound` collects what it binds to."""
    module = load_shared("container_limits")
    module.bound = []
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(module.os, "sched_setaffinity", lambda _, cpus: module.bound.append(cpus))
    monkeypatch.setattr(module, "memory_bytes", lambda: 1000)

    def make(*lists):
        for number, listed in enumerate(lists):
            (tmp_path / f"node{number}").mkdir()
            (tmp_path / f"node{number}/cpulist").write_text(listed + "\n")
        return module

    return make


def test_instances_divide_cpus_and_memory(limits, tmp_path):
    module = limits("0-7")
    assert [module.share_of(args(count, 0), tmp_path) for count in (1, 2, 3, 16)] == [
        (8, 1000), (4, 500), (2, 333), (1, 62)
    ]  # fmt: skip
    assert module.bound == []


def test_instances_take_the_nodes_in_turn(limits, tmp_path):
    module = limits("0-1,4-5", "2-3,6-7", "", "8-15")
    for number in range(4):
        assert module.share_of(args(4, number), tmp_path).cpus == 2
    assert module.bound == [{0, 1, 4, 5}, {2, 3, 6, 7}] * 2


def test_one_instance_and_small_nodes_are_not_bound(limits, tmp_path):
    module = limits("0-5", "6", "7")
    module.share_of(args(1, 0), tmp_path)
    module.share_of(args(2, 1), tmp_path)
    assert module.bound == []
