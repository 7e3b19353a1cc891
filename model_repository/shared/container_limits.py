"""The processors and the memory that this process may use, including a container's limits.

Without pathlib, which costs the image's supervisor 10 ms of every start.
"""

import json
import os
from collections.abc import Mapping
from typing import NamedTuple

CGROUP = "/sys/fs/cgroup"
NODES = "/sys/devices/system/node"


class Share(NamedTuple):
    """What one process of a model may use: whole CPUs, at least 1, and bytes of memory."""

    cpus: int
    memory: int


def share_of(args: Mapping[str, str], nodes: str = NODES) -> Share:
    """The share of the instance with these `args` of `initialize`: a model's instances divide what there is.

    On a machine with several NUMA nodes, this process is bound to the CPUs of one node; the instances take the nodes in
    turn. So its weights are in the memory of its own node.
    """
    groups = json.loads(args["model_config"]).get("instance_group", [])
    count = max(1, sum(group.get("count", 1) for group in groups))
    share = Share(max(1, cpu_count() // count), memory_bytes() // count)
    usable = [cpus & os.sched_getaffinity(0) for cpus in node_cpus(nodes)]
    usable = [cpus for cpus in usable if len(cpus) >= share.cpus]
    if count > 1 and len(usable) > 1:
        number = args["model_instance_name"].rpartition("_")[2]
        os.sched_setaffinity(0, usable[int(number) % len(usable)])
    return share


def whole() -> Share:
    """The share of a process without others."""
    return Share(cpu_count(), memory_bytes())


def cpu_count(root: str = CGROUP) -> int:
    """Whole CPUs this process may use, at least 1: the cgroup's quota, at most its CPU affinity.

    Sources: the kernel's cgroup-v2 (cpu.max: "quota period" in microseconds, or "max") and v1 (cpu.cfs_quota_us).
    """
    usable = len(os.sched_getaffinity(0))
    try:
        quota, period = _read(root, "cpu.max").split()
    except (OSError, ValueError):
        try:
            quota, period = (_read(root, f"cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
        except OSError:
            return usable
    return usable if quota == "max" or int(quota) <= 0 else max(1, min(usable, round(int(quota) / int(period))))


def memory_bytes(root: str = CGROUP) -> int:
    """Bytes this process may use: the cgroup's limit, at most the machine's memory.

    Sources: the kernel's cgroup-v2 (memory.max: bytes, or "max") and v1 (memory.limit_in_bytes).
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return min(machine, int(_read(root, name)))
        except (OSError, ValueError):  # no such file, or "max"
            pass
    return machine


def node_cpus(root: str = NODES) -> list[set[int]]:
    """The CPUs of each NUMA node with any, in the order of the nodes' numbers; [] if the kernel does not list them.

    Source: the kernel's Documentation/ABI/stable/sysfs-devices-node (cpulist: ranges such as "0-3,8").
    """
    try:
        numbers = sorted(int(name[4:]) for name in os.listdir(root) if name.startswith("node") and name[4:].isdigit())  # noqa: PTH208
        lists = [_read(root, f"node{number}/cpulist").strip() for number in numbers]
    except OSError:
        return []
    return [_range(listed) for listed in lists if listed]


def _range(listed: str) -> set[int]:
    ends = [part.partition("-") for part in listed.split(",")]
    return {cpu for first, _, last in ends for cpu in range(int(first), int(last or first) + 1)}


def _read(root: str, name: str) -> str:
    with open(os.path.join(root, name), encoding="ascii") as file:  # noqa: PTH118, PTH123
        return file.read()
