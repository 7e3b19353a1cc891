"""Downloads the served image's packages as wheels for its Python, so that the image builds offline."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from utils.docker import wheel_locks
from utils.docker.wheel_locks import Hashes
from utils.host import children, digest
from utils.host.cache_folder import PARTIAL, cache_folder, locked
from utils.host.errors import ImageError
from utils.host.link_or_copy import link

# Runs from its wheel, because the base image may have no pip. Its metadata allows Python 3.8 to 3.13.
PIP = "pip==25.0.1"
PIP_HASH = "c46efd13b6aa8279f33f2864459c8ce587ea6a1a59ee20de055868d8f7688f7f"
# glibc versions up to Ubuntu 24.04's, oldest first: pip prefers the most portable wheel. The pip in the base image
# decides whether a wheel fits.
GLIBC_MINORS = range(17, 40)
UNREACHABLE = re.compile(
    r"connection broken|connection error|failed to establish|max retries|timed? ?out|name resolution|getaddrinfo|"
    r"SSLError|certificate|ProxyError|\b40[137] |\b50[0-9] ",
    re.IGNORECASE,
)
# "    numpy==1.26.4 from https://.../numpy-1.26.4-....whl#sha256=... (from -r file (line 1)):"
OTHER_HASH = re.compile(r"(?ms)DO NOT MATCH THE HASHES.*?^\s+(\S+) from (?:\S*/)?([^\s/#]+)[^\n]*:$")


def fill(
    destination: Path,
    *,
    requirements: Sequence[Path],
    python: str,
    machine: str,
    locks: Sequence[Path] = (),
    refresh: bool = False,
) -> str:
    """Fills `destination` with exactly the wheels of `requirements` for CPython `python`, and pip's.

    `python` is like "3.12", `machine` "x86_64" or "aarch64". `locks` have the hashes that the wheels may have (default:
    the .lock files beside the requirements). Wheels come from a cache outside of the checkout if they are there, unless
    `refresh`. Returns the text of a requirements file for `pip install --require-hashes`.
    Raises ImageError for an invalid requirement, a wheel that is not available, and one with another hash.
    """
    pins = [pin for file in requirements for pin in applicable(file, python=python, machine=machine)]
    hashes = wheel_locks.locked_hashes(pins, locks or [file.with_suffix(".lock") for file in requirements])
    hashes[PIP] = frozenset([PIP_HASH])
    cache = _place_of([*pins, PIP], python, machine)
    try:
        with locked(cache.parent):  # concurrent builds download once
            if refresh or not cache.is_dir():
                _fetch(cache, hashes, python, machine)
            advice = "use --no-cache to download it again"
            found = wheel_locks.require_locked(cache.iterdir(), hashes, advice)
            _place(cache, destination)
    except OSError as error:
        raise ImageError(
            f"the wheels cannot be stored: {error}; free disk space or correct the permissions "
            "(XDG_CACHE_HOME moves the cache), then run the same command again"
        ) from error
    return wheel_locks.as_lines({pin: frozenset([each]) for pin, each in found.items() if pin != PIP})


def require_unchanged(folder: Path, requirements: Path) -> None:
    """ImageError for a wheel of a build tree that is not the one in its requirements file."""
    hashes = wheel_locks.read_lines(requirements) | {PIP: frozenset([PIP_HASH])}
    wheel_locks.require_locked(folder.glob("*.whl"), hashes, f"remove {folder} and run the same command again")


def applicable(requirements: Path, *, python: str, machine: str) -> list[str]:
    """The requirements whose markers hold on the target, without markers: pip evaluates them for its own Python."""
    from packaging.requirements import InvalidRequirement, Requirement  # of the factory's environment

    target = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    chosen = []
    for number, line in enumerate(requirements.read_text(encoding="utf-8").splitlines(), start=1):
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if not text:
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise ImageError(
                f"{requirements} line {number}: {text!r} is not a requirement; use name==version"
            ) from error
        if requirement.marker is None or requirement.marker.evaluate(target):
            requirement.marker = None
            chosen.append(str(requirement))
    return chosen


def _place_of(pins: list[str], python: str, machine: str) -> Path:
    return cache_folder("wheels") / digest.of_text("\n".join([*pins, python, machine]))[:32]


def _fetch(cache: Path, hashes: Hashes, python: str, machine: str) -> None:
    """Downloads into a folder beside `cache`, then renames it: an interrupted download is never used."""
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix=PARTIAL, ignore_cleanup_errors=True) as partial:
        fresh = Path(partial) / "wheels"
        _run_pip("download", hashes, python, machine, "--dest", str(fresh))
        for wheel in fresh.iterdir():
            wheel.chmod(0o644)
        fresh.chmod(0o755)
        if cache.is_dir():
            cache.rename(Path(partial) / "former")
        try:
            fresh.rename(cache)
        except OSError:
            if not cache.is_dir():  # otherwise another build has stored the same wheels
                raise


def find_wheels(requirements: Sequence[Path], python: str, machine: str) -> tuple[str, int]:
    """The source that `fill` would use ("the cache" or "the package index"), and the number of wheels without pip's.

    Raises ImageError if they are not available.
    """
    pins = [pin for file in requirements for pin in applicable(file, python=python, machine=machine)]
    if _place_of([*pins, PIP], python, machine).is_dir():
        return "the cache", len(pins)
    hashes = wheel_locks.locked_hashes(pins, [file.with_suffix(".lock") for file in requirements])
    with tempfile.TemporaryDirectory() as folder:
        _run_pip("install", hashes, python, machine, "--dry-run", "--ignore-installed", "--target", folder)
    return "the package index", len(pins)


def _run_pip(verb: str, hashes: Hashes, python: str, machine: str, *options: str) -> None:
    """Raises ImageError if pip fails."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    platforms.insert(1, f"manylinux2014_{machine}")
    command = [*find_pip(), verb, "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    command += ["--only-binary=:all:", "--no-deps", "--implementation", "cp", "--python-version", python]
    command += [argument for platform in platforms for argument in ("--platform", platform)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(wheel_locks.as_lines(hashes))
        file.flush()
        done = run_pip([*command, *options, "--require-hashes", "--requirement", file.name])
    if done.returncode != 0:
        raise ImageError(_reason(done.stdout + done.stderr, python, machine))


def run_pip(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Runs a pip in any environment, without input, and captures its output."""
    return subprocess.run(
        children.with_parent_death_signal(command),
        env=os.environ | {"PIP_REQUIRE_VIRTUALENV": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )


def _reason(output: str, python: str, machine: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["pip printed nothing"]
    last = errors[-1].removeprefix("ERROR:").strip()
    if mismatch := OTHER_HASH.search(output):
        return (
            f"the package index has another file for {mismatch[1]} ({mismatch[2]}) than the lock of the serving "
            "requirements: its SHA-256 differs; check PIP_INDEX_URL and PIP_FIND_LINKS, and do not use that file"
        )
    if UNREACHABLE.search(output):
        return (
            f"the package index cannot be reached for the serving wheels ({last}); check the network, PIP_INDEX_URL "
            "and PIP_CERT, or set PIP_FIND_LINKS to a folder with the wheels"
        )
    return (
        f"there is no wheel of a serving requirement for Python {python} on {machine} ({last}); "
        "change its line in requirements-serving.txt, or choose another --release"
    )


def find_pip() -> list[str]:
    """The command of a pip. Environments made by uv have none, so the base interpreter is tried as well."""
    for command in _pips():
        if subprocess.run([*command, "--version"], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0:
            return command
    raise ImageError(f"{sys.executable} has no pip; install it: python3 -m ensurepip")


def _pips() -> Iterator[list[str]]:
    interpreters = [sys.executable, getattr(sys, "_base_executable", sys.executable)]
    for interpreter in dict.fromkeys(interpreters):
        yield [interpreter, "-m", "pip"]
    ensurepip = importlib.util.find_spec("ensurepip")
    for folder in (ensurepip and ensurepip.submodule_search_locations) or []:
        for wheel in sorted(Path(folder).glob("_bundled/pip-*.whl")):
            yield [sys.executable, f"{wheel}/pip"]


def _place(cache: Path, destination: Path) -> None:
    """Links the wheels into `destination`, or copies them, and removes those of an earlier build."""
    destination.mkdir(parents=True, exist_ok=True)
    destination.chmod(0o755)
    for former in destination.glob("*.whl"):
        former.unlink()
    for wheel in sorted(cache.iterdir()):
        link(wheel, destination / wheel.name)
