"""The processors and the memory that this process may use, including a container's limits."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cpu_count(root: Path = CGROUP) -> int:
    """Whole CPUs this process may use, at least 1: the cgroup's quota, at most its CPU affinity.

    Sources: the kernel's cgroup-v2 (cpu.max: "quota period" in microseconds, or "max") and v1 (cpu.cfs_quota_us).
    """
    usable = len(os.sched_getaffinity(0))
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = ((root / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        except OSError:
            return usable
    return usable if quota == "max" or int(quota) <= 0 else max(1, min(usable, round(int(quota) / int(period))))


def memory_bytes(root: Path = CGROUP) -> int:
    """Bytes this process may use: the cgroup's limit, at most the machine's memory.

    Sources: the kernel's cgroup-v2 (memory.max: bytes, or "max") and v1 (memory.limit_in_bytes).
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return min(machine, int((root / name).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            pass
    return machine
