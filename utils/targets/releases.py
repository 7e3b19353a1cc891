"""The Triton releases a model can be built for, read from triton_releases.csv (sources: docs/releases.md)."""

import csv
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from utils.host.errors import UsageError

TABLE = Path(__file__).with_name("triton_releases.csv")
# Bulletins up to August 2026 are fixed in this release; an older one is built only on request.
SECURITY_FLOOR = "26.06"
OLDEST_SUPPORTED = "24.01"
# The small base of a distribution, by the ID of its os-release.
SLIM_IMAGES = {"ubuntu": "ubuntu:{}", "debian": "debian:{}-slim"}
# The exporter's own default; a release that accepts less gets what it accepts.
PREFERRED_OPSET = 18
# Facts that have several sources, or none: the columns that give each, and whether only a GPU's image depends on it.
SOURCES = (
    ("ONNX Runtime", ("ort_build_py", "ort_compat_md"), False),
    ("CUDA", ("cuda_release_notes", "cuda_vllm_row"), True),
    ("driver", ("driver_vllm_row", "driver_release_notes"), True),
    ("lowest GPU compute capability", ("min_cc",), True),
)
# The columns of --list-releases, and the fields of Release in them.
COLUMNS = {
    "release": "name",
    "Triton": "triton",
    "ONNX Runtime": "onnxruntime",
    "opset": "opset",
    "IR": "max_ir",
    "CUDA": "cuda",
    "driver": "driver",
    "GPU from": "min_compute_capability",
    "Ubuntu": "ubuntu",
    "Python": "python",
}


@dataclass(frozen=True, kw_only=True)
class Release:
    """One row.

    `max_opset` and `max_ir` are what the release's ONNX Runtime was measured to load; models are exported for `opset`.
    `cuda`, `driver` (the one the release was made with) and `min_compute_capability` are empty where not verified.
    `unverified` (`unverified_gpu`: of a GPU's image only) says what is not verified, or what sources disagree on.
    """

    name: str
    triton: str
    onnxruntime: str
    opset: int
    max_opset: int
    max_ir: int
    ubuntu: str
    python: str
    cuda: str
    driver: str
    min_compute_capability: str
    unverified: tuple[str, ...] = ()
    unverified_gpu: tuple[str, ...] = ()

    def doubts(self, *, of_gpu: bool) -> tuple[str, ...]:
        """A phrase for each fact that an image depends on and that is not verified."""
        return (*self.unverified, *(self.unverified_gpu if of_gpu else ()))

    @property
    def triton_image(self) -> str:
        """NVIDIA's image of this release: Triton with all its backends."""
        return f"nvcr.io/nvidia/tritonserver:{self.name}-py3"

    @property
    def slim_image(self) -> str:
        """The small base of the same distribution, so that copied libraries find the C library they were built for."""
        return f"ubuntu:{self.ubuntu}"


@cache
def usable_releases() -> dict[str, Release]:
    """Every release whose ONNX Runtime, opset, IR, Ubuntu and Python are known, oldest first."""
    with TABLE.open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table) if _is_complete(row)]
    return {row["release"]: _release(row) for row in rows}


def _is_complete(row: dict[str, str]) -> bool:
    needed = ("ort_build_py", "max_opset_measured", "max_ir_measured", "ubuntu", "python")
    return all(row[column] for column in needed)


def _release(row: dict[str, str]) -> Release:
    return Release(
        name=row["release"],
        triton=row["triton"],
        onnxruntime=row["ort_build_py"],
        opset=min(PREFERRED_OPSET, int(row["max_opset_measured"])),
        max_opset=int(row["max_opset_measured"]),
        max_ir=int(row["max_ir_measured"]),
        ubuntu=row["ubuntu"],
        python=row["python"],
        cuda=row["cuda_release_notes"] or row["cuda_vllm_row"],
        driver=_driver(row),
        min_compute_capability=row["min_cc"],
        unverified=tuple(filter(None, (*_doubts(row, of_gpu=False), row["unverified"]))),
        unverified_gpu=_doubts(row, of_gpu=True),
    )


def _doubts(row: dict[str, str], *, of_gpu: bool) -> tuple[str, ...]:
    """A phrase for each of SOURCES without a value, and for each whose values are not longer forms of one another."""
    doubts = []
    for fact, columns, gpu_only in SOURCES:
        if gpu_only != of_gpu:
            continue
        known = {_numbers(row[column]): row[column] for column in columns if _numbers(row[column])}
        shortest = min(known, key=len, default=())
        if not known:
            doubts.append(f"{fact} is not verified")
        elif any(numbers[: len(shortest)] != shortest for numbers in known):
            doubts.append(f"{fact} is {' or '.join(known.values())} (sources disagree)")
    return tuple(doubts)


def _numbers(version: str) -> tuple[int, ...]:
    """12.8.0.038 as 12, 8, 0, 38; of 1.23.0+commit the release; none of a word."""
    found = re.match(r"[0-9.]+", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _driver(row: dict[str, str]) -> str:
    """The support matrix gives the exact driver; the release notes only its branch, or a pointer elsewhere."""
    driver = row["driver_vllm_row"] or row["driver_release_notes"]
    return driver if driver[:1].isdigit() else ""


def slim_image_of(name: str, number: str) -> str:
    """The small base of a distribution, by ID and VERSION_ID of its os-release; empty for one that has none known."""
    return SLIM_IMAGES[name].format(number) if name in SLIM_IMAGES and number else ""


def list_releases() -> str:
    """The table for --list-releases, newest first."""
    rows = [(*COLUMNS, "not verified")]
    for each in reversed(usable_releases().values()):
        values = (str(getattr(each, name)) or "?" for name in COLUMNS.values())
        rows.append((*values, "; ".join(each.doubts(of_gpu=True)) or "-"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, f"default: {default_release()}; releases before {SECURITY_FLOOR} lack security fixes"])


def with_opset(release: Release, opset: int) -> Release:
    """The release, models exported for `opset`; UsageError when its ONNX Runtime does not load that."""
    if opset <= release.max_opset:
        return replace(release, opset=opset)
    newer = [each.name for each in usable_releases().values() if opset <= each.max_opset]
    way_out = f", or choose --release {newer[0]} or newer" if newer else ""
    raise UsageError(
        f"--opset {opset} is above what ONNX Runtime {release.onnxruntime} of Triton {release.name} loads; give at "
        f"most {release.max_opset}{way_out}"
    )


def default_release() -> str:
    """The newest release known completely."""
    return list(usable_releases())[-1]


def require_supported(source: str, name: str) -> None:
    """UsageError if the release `name` ("YY.MM") is older than OLDEST_SUPPORTED; `source` says where it was named."""
    if re.fullmatch(r"[0-9]{2}\.[0-9]{2}", name) and name < OLDEST_SUPPORTED:
        raise UsageError(
            f"{source} is not supported: Triton releases before {OLDEST_SUPPORTED} get no security fixes; choose "
            f"{SECURITY_FLOOR} or newer, or at least {OLDEST_SUPPORTED} for an old GPU driver (see --list-releases)"
        )


def find_release(name: str) -> Release:
    """The release called `name` ("YY.MM"); UsageError if it is not supported or lacks the ONNX Runtime backend."""
    require_supported(f"--release {name}", name)
    releases = usable_releases()
    if name not in releases:
        raise UsageError(
            f"--release {name!r} is not a release this project has measured ONNX Runtime for; "
            f"choose one of: {', '.join(releases)}"
        )
    return releases[name]
