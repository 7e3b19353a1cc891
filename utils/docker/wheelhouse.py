"""Fetches what the served image installs, as wheels for the target's Python, so that the image builds offline."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from utils.host import children, digest
from utils.host.cache_folder import PARTIAL, cache_folder, locked
from utils.host.errors import ImageError
from utils.host.link_or_copy import link

# Runs from its wheel, as the base image may have none; this one runs on Python 3.8 to 3.13 (its own metadata says so).
PIP = "pip==25.0.1"
# The C library versions of Ubuntu 20.04 to 24.04, oldest first: pip prefers what runs on most. Whether a wheel fits the
# base image is decided there, by the pip that installs it.
GLIBC_MINORS = range(17, 40)
UNREACHABLE = re.compile(
    r"connection broken|connection error|failed to establish|max retries|timed? ?out|name resolution|getaddrinfo|"
    r"SSLError|certificate|ProxyError|\b40[137] |\b50[0-9] ",
    re.IGNORECASE,
)


def fill(destination: Path, *, requirements: Path, python: str, machine: str, refresh: bool = False) -> None:
    """Makes `destination` hold exactly the wheels that `requirements` asks for on CPython `python`, and pip's.

    `python` is like "3.12", `machine` "x86_64" or "aarch64". What was fetched before is taken from a cache outside the
    checkout unless `refresh`. Raises ImageError when a requirement cannot be read or its wheel cannot be had.
    """
    wanted = [*applicable(requirements, python=python, machine=machine), PIP]
    cache = _place_of(wanted, python, machine)
    try:
        with locked(cache.parent):  # eight builds at once download once
            if refresh or not cache.is_dir():
                _fetch(cache, wanted, python, machine)
            _place(cache, destination)
    except OSError as error:
        raise ImageError(
            f"the wheels cannot be stored: {error}; make room or access there "
            "(XDG_CACHE_HOME moves the cache), then run the same command again"
        ) from error


def applicable(requirements: Path, *, python: str, machine: str) -> list[str]:
    """The requirements whose markers hold on the target, without the markers: `pip download` asks the wrong Python."""
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
                f"{requirements} line {number}: {text!r} is not a requirement; write name==version"
            ) from error
        if requirement.marker is None or requirement.marker.evaluate(target):
            requirement.marker = None
            chosen.append(str(requirement))
    return chosen


def _place_of(wanted: list[str], python: str, machine: str) -> Path:
    return cache_folder("wheels") / _digest(wanted, python, machine)


def _digest(wanted: list[str], python: str, machine: str) -> str:
    return digest.of_text("\n".join([*wanted, python, machine]))[:32]


def _fetch(cache: Path, wanted: list[str], python: str, machine: str) -> None:
    """Into a folder beside `cache`, then one rename: an interrupted download is never taken for a whole one."""
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix=PARTIAL, ignore_cleanup_errors=True) as partial:
        fresh = Path(partial) / "wheels"
        _download(fresh, wanted, python, machine)
        for wheel in fresh.iterdir():
            wheel.chmod(0o644)
        fresh.chmod(0o755)
        if cache.is_dir():
            cache.rename(Path(partial) / "former")
        try:
            fresh.rename(cache)
        except OSError:
            if not cache.is_dir():  # else another build was quicker, with the same wheels
                raise


def _download(folder: Path, wanted: list[str], python: str, machine: str) -> None:
    done = _ask_pip("download", wanted, python, machine, "--dest", str(folder))
    if done.returncode != 0:
        raise ImageError(_reason(done.stdout + done.stderr, python, machine))


def find_wheels(wanted: list[str], python: str, machine: str) -> str:
    """Where `fill` would take these from: "the cache" or "the package index". ImageError when they cannot be had."""
    if _place_of([*wanted, PIP], python, machine).is_dir():
        return "the cache"
    with tempfile.TemporaryDirectory() as folder:
        options = ("--dry-run", "--ignore-installed", "--target", folder)
        done = _ask_pip("install", wanted, python, machine, *options)
    if done.returncode != 0:
        raise ImageError(_reason(done.stdout + done.stderr, python, machine))
    return "the package index"


def _ask_pip(
    verb: str, wanted: list[str], python: str, machine: str, *options: str
) -> "subprocess.CompletedProcess[str]":
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    platforms.insert(1, f"manylinux2014_{machine}")
    command = [*find_pip(), verb, "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    command += ["--only-binary=:all:", "--no-deps", "--implementation", "cp", "--python-version", python]
    command += [argument for platform in platforms for argument in ("--platform", platform)]
    return subprocess.run(
        children.with_parent_death_signal([*command, *options, *wanted]),
        env=os.environ | {"PIP_REQUIRE_VIRTUALENV": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )


def _reason(output: str, python: str, machine: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["pip says nothing"]
    last = errors[-1].removeprefix("ERROR:").strip()
    if UNREACHABLE.search(output):
        return (
            f"the package index cannot be reached for the serving wheels ({last}); check the network, PIP_INDEX_URL "
            "and PIP_CERT, or put the wheels in a folder and name it in PIP_FIND_LINKS"
        )
    return (
        f"there is no wheel of a serving requirement for Python {python} on {machine} ({last}); "
        "change its line in requirements-serving.txt, or choose another --release"
    )


def find_pip() -> list[str]:
    """A pip to download with: environments made by uv have none, so the interpreter below them is asked as well."""
    for command in _pips():
        if subprocess.run([*command, "--version"], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0:
            return command
    raise ImageError(f"no pip is found for {sys.executable}; install one there: python3 -m ensurepip")


def _pips() -> Iterator[list[str]]:
    interpreters = [sys.executable, getattr(sys, "_base_executable", sys.executable)]
    for interpreter in dict.fromkeys(interpreters):
        yield [interpreter, "-m", "pip"]
    ensurepip = importlib.util.find_spec("ensurepip")
    for folder in (ensurepip and ensurepip.submodule_search_locations) or []:
        for wheel in sorted(Path(folder).glob("_bundled/pip-*.whl")):
            yield [sys.executable, f"{wheel}/pip"]


def _place(cache: Path, destination: Path) -> None:
    """Hard links where the file system can; wheels of an earlier build go."""
    destination.mkdir(parents=True, exist_ok=True)
    destination.chmod(0o755)
    for former in destination.glob("*.whl"):
        former.unlink()
    for wheel in sorted(cache.iterdir()):
        link(wheel, destination / wheel.name)
