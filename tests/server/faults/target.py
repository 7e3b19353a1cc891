"""A served repository under test: what must hold for its answers and processes after every case."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from utils.diagnosis import target
from utils.diagnosis.target import infer_body

# Of tritonserver from PyPI, which docs/faults.md was written with.
PYPI_RELEASE = "24.10"


class Target(target.Target):
    """`server` is a LocalServer, or has its `address` and `pid`; `model` the served model's name."""

    def __init__(self, server: Any, model: str) -> None:
        super().__init__(address=server.address.http, model=model)
        self.server = server
        self.before = self.infer(infer_body()).body
        self.family = family(server.pid)

    def assert_unharmed(self) -> None:
        assert self.is_ready()
        assert self.infer(infer_body()).body == self.before
        assert family(self.server.pid) == self.family


def family(pid: int) -> dict[int, str]:
    """{process id: command} of a process and its descendants."""
    found = {pid: Path(f"/proc/{pid}/comm").read_text().strip()}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found |= family(int(child))
    return found


def resident_megabytes(pids: Iterable[int]) -> float:
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) for status in statuses) / 1024
