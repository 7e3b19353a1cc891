"""The metrics of a running server, as a scrape reads them."""

import re
import time
import urllib.request
from pathlib import Path
from typing import Any

from utils.release import measured
from utils.repository.context import read_context

SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)",?')
ESCAPED = {r"\n": "\n", r"\"": '"', r"\\": "\\"}
PREFIX = "triton_factory_"

# {(name, labels): value}
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(address: str) -> Series:
    """{(name, frozenset of (label, value)): number} of a metrics port's address."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as response:
        lines = response.read().decode("utf-8").splitlines()
    matches = [SERIES.match(line) for line in lines if not line.startswith("#")]
    return {(match[1], frozenset(_labels(match[2] or "").items())): float(match[3]) for match in matches if match}


def _labels(text: str) -> dict[str, str]:
    return {name: re.sub(r"\\.", lambda escape: ESCAPED[escape[0]], value) for name, value in LABEL.findall(text)}


def expected_names(tree: Path) -> set[str]:
    """The names that a build tree's dashboard and alerts are made for."""
    families = measured.families(read_context(tree / "context.json").pipeline).values()
    return {family.name + suffix for family in families for suffix, _ in family.series} | {
        f"{PREFIX}start_time_seconds"
    }


class Increase:
    """What the series of one model gained since this object was made, by their names without PREFIX."""

    def __init__(self, address: str, model: str) -> None:
        self.address, self.model = address, model
        self._before = self._settled()

    def _settled(self) -> Series:
        """The series once those of earlier requests are published, which happens once a second."""
        before = self._own()
        while True:
            time.sleep(1.5)
            if (now := self._own()) == before:
                return before
            before = now

    def _own(self) -> Series:
        return {key: value for key, value in scrape(self.address).items() if key[0].startswith(PREFIX)}

    def by_label(self, name: str, label: str | None = None) -> Any:
        """{value of `label`: increase}, or the increase of the only series."""
        found: dict[str | None, float] = {}
        for (family, labels), value in scrape(self.address).items():
            own = dict(labels)
            if family == PREFIX + name and own["model"] == self.model:
                found[label and own.get(label)] = value - self._before.get((family, labels), 0)
        return found if label else found.get(None)

    def names(self) -> set[str]:
        """The names of the model's series."""
        return {name for name, labels in scrape(self.address) if ("model", self.model) in labels and PREFIX in name}

    def wait_for(self, **expected: float | dict[str, float]) -> None:
        """Waits until the series have these increases: they are published once a second. A dict is by label."""
        deadline = time.monotonic() + 15
        while True:
            found = {name: self._like(name, value) for name, value in expected.items()}
            if found == expected or time.monotonic() > deadline:
                assert found == expected
                return
            time.sleep(0.1)

    def _like(self, name: str, value: float | dict[str, float]) -> Any:
        if not isinstance(value, dict):
            return self.by_label(name)
        label = {"graph_tokens_total": "kind", "predictions_total": "label"}.get(name, "le")
        found = self.by_label(name, label)
        return {each: found.get(each) for each in value}
