"""A served repository under test: what must hold for its answers and processes after every case."""

import re
from pathlib import Path

from utils.diagnosis import target
from utils.diagnosis.target import infer_body

# Of tritonserver from PyPI, which docs/faults.md was written with.
PYPI_RELEASE = "24.10"


class Target(target.Target):
    """`server` is a LocalServer, or has its `address` and `pid`; `model` the served model's name."""

    def __init__(self, server, model):
        self.server = server
        self.model = model
        self.before = self.infer(infer_body()).body
        self.family = family(server.pid)

    @property
    def address(self):
        return self.server.address.http

    def assert_unharmed(self):
        assert self.is_ready()
        assert self.infer(infer_body()).body == self.before
        assert family(self.server.pid) == self.family


def family(pid):
    """{process id: command} of a process and its descendants."""
    found = {pid: Path(f"/proc/{pid}/comm").read_text().strip()}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found |= family(int(child))
    return found


def resident_megabytes(pids):
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) for status in statuses) / 1024
