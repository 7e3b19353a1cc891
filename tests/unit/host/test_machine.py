import os

import pytest

from utils.host.machine import kind, machine, own_kind


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2 avx512f avx512_vnni", "avx512-vnni"), ("avx2 avx512f avx512_bf16 amx_bf16", "amx"), ("avx2", "avx2")],
)
def test_a_processor_is_of_the_kind_of_its_best_flag(flags, expected):
    assert kind(flags) == expected


def test_this_machine_is_named_with_its_processors():
    count = len(os.sched_getaffinity(0))
    assert machine().endswith(f", {count} CPU{'s' if count > 1 else ''} ({own_kind()})")
