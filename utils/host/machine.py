"""What kind of machine a figure comes from. Standard library only."""

import os
import platform
from pathlib import Path

# Kinds of processors by what speeds up a graph, the best first: {kind: a flag of /proc/cpuinfo}.
KINDS = {
    "amx": "amx_bf16",
    "avx512-bf16": "avx512_bf16",
    "avx512-vnni": "avx512_vnni",
    "avx-vnni": "avx_vnni",
    "avx512": "avx512f",
    "avx2": "avx2",
}


def kind(flags: str) -> str:
    """The kind of a processor with these flags of /proc/cpuinfo."""
    present = flags.split()
    return next((name for name, flag in KINDS.items() if flag in present), platform.machine())


def own_kind() -> str:
    """The kind of this machine's processor."""
    return kind(_fields().get("flags", ""))


def machine() -> str:
    """The processor, how many of it this process may use, and its kind."""
    count = len(os.sched_getaffinity(0))
    return f"{_fields().get('model name', platform.machine())}, {count} CPU{'s'[: count - 1]} ({own_kind()})"


def _fields() -> dict[str, str]:
    """Of the last processor in /proc/cpuinfo."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
