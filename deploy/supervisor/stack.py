"""The stack that Triton's threads get. Its JSON parser goes one call deeper with each bracket of a request."""

from __future__ import annotations

import resource

# 24.10 takes some 330 bytes a bracket: 8 MiB, what Linux gives by default, end between 20,000 and 40,000 of them;
# this between 1 and 2 million. It is address space: only what a thread has used is memory, and stays that thread's.
BYTES = 512 * 1024 * 1024
STRICT_OVERCOMMIT = "2"


def limit(overcommit: str = "/proc/sys/vm/overcommit_memory") -> tuple[int, int]:
    """(soft, hard) for RLIMIT_STACK: BYTES as far as the hard limit allows, or what there is, if that is more.

    To be set before Triton is executed: the C library reads it then, as the size of every thread's stack (and takes
    2 MiB for "unlimited"). Unchanged on a kernel that counts address space as memory (vm.overcommit_memory=2), and
    where address space has a limit of its own.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    is_counted = _text(overcommit) == STRICT_OVERCOMMIT
    if is_counted or resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        return soft, hard
    wanted = BYTES if hard == resource.RLIM_INFINITY else min(BYTES, hard)
    return (wanted if soft == resource.RLIM_INFINITY else max(soft, wanted)), hard


def _text(file: str) -> str:
    try:
        with open(file, encoding="ascii") as lines:  # noqa: PTH123 - pathlib costs 10 ms of every start
            return lines.read().strip()
    except OSError:
        return ""
