"""What kind of machine a figure comes from. Standard library only."""

import os
import platform
from pathlib import Path

FLAGS = ("avx2", "avx512_vnni", "avx512_bf16", "amx_bf16")


def machine() -> str:
    """The processor, how many of it this process may use, and its instructions that speed up models."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    fields = {name.strip(): value for name, _, value in (line.partition(":") for line in lines)}
    flags = [each for each in FLAGS if each in fields.get("flags", "").split()]
    name = fields.get("model name", platform.machine()).strip()
    count = len(os.sched_getaffinity(0))
    return f"{name}, {count} CPU{'s'[: count - 1]}" + (f" ({', '.join(flags)})" if flags else "")
