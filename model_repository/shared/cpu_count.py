"""How many processors this process may use: fewer in a container than its machine has."""

import os
from pathlib import Path


def cpu_count(root=Path("/sys/fs/cgroup")):
    """Whole CPUs this process may use, at least 1: the cgroup's quota where there is one, else those it may run on.

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
