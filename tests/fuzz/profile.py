"""How many examples: some hundreds in all, the same in every run; FUZZ_EXAMPLES=10000 asks for that many a test, anew.

A failure prints its smallest example, and the line that repeats it.
"""

import os

from hypothesis import HealthCheck, settings

CHOSEN = os.environ.get("FUZZ_EXAMPLES")


def examples(count: int, *, most: int | None = None) -> settings:
    """Settings for `count` examples in a usual run; `most` is the bound of a slow test in a long one."""
    examples = min(int(CHOSEN), most or int(CHOSEN)) if CHOSEN else count
    return settings(
        max_examples=examples,
        derandomize=CHOSEN is None,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
