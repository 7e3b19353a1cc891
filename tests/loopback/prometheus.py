"""A real Prometheus on a loopback port (Debian's package prometheus), with a data folder of its own."""

import contextlib
import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from utils.triton.ports import choose_ports


class Prometheus:
    """Its HTTP API. Addresses are 127.0.0.1:PORT."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{query}", timeout=10) as response:
            return json.load(response)["data"]

    def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The series of an instant query: {labels: value}."""
        found = self.get("query", query=expression)["result"]
        return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in found}

    def targets(self) -> list[str]:
        """up, down or unknown, for each."""
        return [target["health"] for target in self.get("targets")["activeTargets"]]

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        return {each["labels"]["alertname"] for each in self.get("alerts")["alerts"] if each["state"] == "firing"}


@contextlib.contextmanager
def running(config: Path, folder: Path) -> Iterator[Prometheus]:
    """Prometheus with the config file `config`, ready; it ends with the block."""
    port = choose_ports("127.0.0.1", {"http": 0})["http"]
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, cwd=folder
        )
    try:
        wait_for(lambda: _is_ready(port), seconds=30, log=folder / "prometheus.log")
        yield Prometheus(f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], *, seconds: float = 60, log: Path | None = None) -> None:
    """Waits until the condition holds; shows the log file otherwise."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log.read_text() if log else "it did not happen in time"
        time.sleep(0.2)
