"""Checks the content of a base image: release, Python, distribution, backends, and their shared libraries."""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from utils import ROOT
from utils.diagnosis import network
from utils.diagnosis.findings import Finding, fault, fault_of, ok, warning
from utils.docker.client import last_line
from utils.docker.engine import Engine, parse_os_release
from utils.host import children
from utils.host.disk import gigabytes
from utils.host.environments import FACTORY
from utils.host.errors import ImageError
from utils.targets.releases import OLDEST_SUPPORTED, SECURITY_FLOOR, default_release, slim_image_of, usable_releases

SCRIPT = Path(__file__).with_name("look_inside.sh")
FULL_IMAGE = "use a full Triton image (nvcr.io/nvidia/tritonserver:YY.MM-py3, or one built on it)"
TRITON = "/opt/tritonserver"
# The essential files of deploy/collect_runtime.sh, and their names in the report.
PARTS = {
    "bin/tritonserver": "the server",
    "backends/python/libtriton_python.so": "the Python backend",
    "backends/python/triton_python_backend_stub": "its stub",
    "backends/onnxruntime/libtriton_onnxruntime.so": "the ONNX Runtime backend",
}
WHEEL_SECONDS = 60
Sections = Mapping[str, Sequence[str]]


def findings(engine: Engine, image: str, slim_image: str) -> list[Finding]:
    """All checks of this module, for an image on the engine."""
    try:
        machine = engine.machine(image)
    except ImageError as error:
        return [fault_of("image", error)]
    script = SCRIPT.read_text(encoding="utf-8")
    text = engine.run_in(image, "bash", "-c", script, "bash", TRITON, *PARTS)
    inside = sections_of(text)
    if not inside:
        return [
            fault("image", f"{image} cannot run bash ({last_line(text)})", FULL_IMAGE, ImageError),
            release(engine.triton_release(image)),
        ]
    return [
        ok("image", f"{image} is on the engine: {gigabytes(engine.image_size(image))}, for {machine}"),
        release(engine.triton_release(image)),
        python(inside["python"], machine),
        *distribution(engine, inside["os-release"], slim_image),
        *backends(inside["backends"]),
        *libraries(inside),
        starts(inside["starts"]),
    ]


def sections_of(text: str) -> dict[str, list[str]]:
    """The output of look_inside.sh, by section."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("## "):
            found[line.removeprefix("## ")] = []
        elif found:
            found[next(reversed(found))].append(line)
    return found


def release(name: str) -> Finding:
    """Checks the release; `name` is "YY.MM", or empty."""
    check, known = "release", usable_releases()
    if not name:
        return warning(
            check,
            f"the image does not name its release; models are converted for {default_release()}",
            "pass its --release when you build on it",
        )
    if name < OLDEST_SUPPORTED:
        return fault(
            check,
            f"Triton {name} is not supported: releases before {OLDEST_SUPPORTED} get no security fixes",
            f"use a base image of {SECURITY_FLOOR} or newer",
            ImageError,
        )
    if name < SECURITY_FLOOR:
        return warning(
            check,
            f"Triton {name} lacks security fixes of {SECURITY_FLOOR} (bulletins up to August 2026)",
            f"use {SECURITY_FLOOR} or newer, unless the GPU driver needs an older one; then add --release {name}",
        )
    if name not in known:
        return warning(
            check,
            f"Triton {name}: the graphs that its ONNX Runtime loads are not measured",
            f"models are converted for {default_release()}, and a newer release loads them; --prove tests it",
        )
    found = f"Triton {name} ({known[name].triton}), ONNX Runtime {known[name].onnxruntime}"
    if doubts := known[name].doubts(of_gpu=False):
        return warning(check, f"{found}; not certain: {'; '.join(doubts)}", "add --prove to test it")
    return ok(check, found)


def python(lines: Sequence[str], machine: str) -> Finding:
    """Checks the interpreter of the Python backend, and whether there are serving wheels for it."""
    version = lines[0] if lines else ""
    if not re.fullmatch(r"\d+\.\d+", version):
        return fault("Python", "there is no working python3, which the Python backend needs", FULL_IMAGE, ImageError)
    if not FACTORY.is_ready():
        return ok("Python", f"{version}; its wheels are checked after {FACTORY.folder.name} is created")
    command = [str(FACTORY.python), str(ROOT / "utils/launch.py"), "utils.diagnosis.wheels", version, machine]
    try:
        done = subprocess.run(
            children.with_parent_death_signal(command),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=WHEEL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return warning("Python", f"{version}; no answer about its wheels in {WHEEL_SECONDS} s", network.CHECK_NETWORK)
    if done.returncode != 0:
        found, _, advice = last_line(done.stderr).removeprefix("error: ").partition("; ")
        if found.startswith("there is no wheel"):
            return fault("Python", f"{version}: {found}", advice, ImageError)
        return warning("Python", f"{version}: {found}", advice)
    return ok("Python", f"{version}, {done.stdout.strip()}")


def distribution(engine: Engine, lines: Sequence[str], slim_image: str) -> Iterator[Finding]:
    """Checks the distribution, and the small image of the same one for CPU images."""
    name, number = parse_os_release("\n".join(lines))
    slim = slim_image or slim_image_of(name, number)
    if not slim:
        yield warning(
            "distribution",
            f"{name or 'unknown'} {number}: no small image of it is known; CPU images use the full base image",
            "pass a small image of the same distribution as --slim-image",
        )
        return
    yield ok("distribution", f"{name} {number}")
    if not engine.has(slim):
        yield network.registry(engine, slim, "slim base")
        return
    slim_name, slim_number = engine.os_release(slim)
    if (slim_name, slim_number) != (name, number):
        yield warning(
            "slim base",
            f"{slim} is {slim_name} {slim_number}: the server's libraries may not work with its C library",
            f"pass an image of {name} {number} as --slim-image",
        )
    else:
        yield ok("slim base", f"{slim} is on the engine")


def backends(names: Sequence[str]) -> Iterator[Finding]:
    """Checks the backends: `python` and `onnxruntime` are needed, `pytorch` only for TorchScript."""
    absent = [name for name in ("python", "onnxruntime") if name not in names]
    if absent:
        yield fault("backends", f"there is no {' and no '.join(absent)} backend", FULL_IMAGE, ImageError)
    else:
        yield ok("backends", ", ".join(sorted(names)))
    if "pytorch" not in names:
        yield warning("backend pytorch", "not found", "nothing to do, unless you build with --format torchscript")


def libraries(inside: Sections) -> Iterator[Finding]:
    """Checks that the loader finds all libraries of each part in the finished image."""
    # backends() reports missing backends.
    parts = [part for part in PARTS if Path(part).parent.name in ("bin", *inside["backends"])]
    listings = {part: inside.get(f"libraries {part}", []) for part in parts}
    faults = [found for part, lines in listings.items() if (found := _fault_of(part, lines))]
    yield from faults
    if not faults:
        found_ones = {match[1] for lines in listings.values() for line in lines if (match := _FOUND.match(line))}
        called = ", ".join(PARTS[part] for part in parts)
        yield ok("libraries", f"the loader finds all {len(found_ones)} of: {called}")


_FOUND = re.compile(r"\s*(\S+) => /")


def _fault_of(part: str, lines: Sequence[str]) -> Finding | None:
    if not lines:
        return fault("libraries", f"there is no {part} ({PARTS[part]})", FULL_IMAGE, ImageError)
    if missing := missing_libraries(lines):
        listed = ", ".join(f"{name} (needed by {needed_by})" for name, needed_by in missing.items())
        advice = "install its package in the base image, or use NVIDIA's image without changes"
        return fault("libraries", f"{PARTS[part]} ({part}) lacks {listed}", advice, ImageError)
    return None


def missing_libraries(lines: Sequence[str]) -> dict[str, str]:
    """Library that the loader does not find -> file that is linked against it."""
    needed_by: dict[str, str] = {}
    for line in lines:
        if match := re.search(r"file=(\S+) \[\d+\];\s+needed by (\S+)", line):
            needed_by.setdefault(match[1], Path(match[2]).name)
    absent = [match[1] for line in lines if (match := re.match(r"\s*(\S+) => not found", line))]
    return {name: needed_by.get(name, "an unknown file") for name in dict.fromkeys(absent)}


def starts(lines: Sequence[str]) -> Finding:
    """Checks that tritonserver starts, with `--help`."""
    if lines:
        return ok("server", "tritonserver starts")
    return fault("server", "tritonserver --help prints nothing", "see the lines above, then " + FULL_IMAGE, ImageError)
