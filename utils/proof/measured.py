"""measured.json: what the boot proof measured of the server, for the manifests and the report."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host import json_values
from utils.host.errors import ReleaseError

MEASURED_FILE = "measured.json"


@dataclass(frozen=True, kw_only=True)
class Latency:
    """What `clients` saw that each send one request after the other, over HTTP. Times in seconds.

    `requests`: how many were answered; `per_second`: of all clients together.
    """

    clients: int
    requests: int
    median: float
    percentile_95: float
    per_second: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """None or empty: not measured.

    peak_memory_bytes: the largest memory of the container. ready_seconds: from the start of the container, or of
    Triton, to the first moment that it is ready. machine: the processor of the clients, which the server shares unless
    the engine is remote. characters: of the request that `latencies` are about.
    """

    peak_memory_bytes: int | None = None
    ready_seconds: float | None = None
    machine: str = ""
    characters: int = 0
    latencies: tuple[Latency, ...] = ()


def add(tree: Path, **values: Any) -> None:
    """Sets fields of Measured in the file of `tree`."""
    known = json_values.converter().unstructure({**_content(tree), **values})
    (tree / MEASURED_FILE).write_text(json.dumps(known, ensure_ascii=False) + "\n", encoding="utf-8")


def read(tree: Path) -> Measured:
    """What was measured; nothing without a boot proof. ReleaseError for a damaged file."""
    try:
        return json_values.converter().structure(_content(tree), Measured)
    except json_values.invalid(OSError) as error:
        file, reason = tree / MEASURED_FILE, json_values.reason(error)
        raise ReleaseError(f"{str(file)!r} cannot be read ({reason}); delete it and prove the image again") from error


def _content(tree: Path) -> Any:
    file = tree / MEASURED_FILE
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
