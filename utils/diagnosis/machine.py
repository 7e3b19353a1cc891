"""Checks Python, the project's environments, disk space and the caches."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from utils.convert.cache import BOUND_VARIABLE, DEFAULT_GIGABYTES, bound
from utils.diagnosis.findings import Finding, fault, ok, warning
from utils.host.build_tree import BUILD
from utils.host.cache_folder import NAMES, cache_folder, size_of
from utils.host.disk import free_bytes, gigabytes
from utils.host.environments import FACTORY, SERVING, Environment
from utils.host.errors import ExportError, FactoryError, UsageError

# The pinned requirements have wheels for these; the tests run on the second one.
TRIED_PYTHONS = ((3, 10), (3, 11), (3, 12))
ENVIRONMENT_BYTES = 2_000_000_000
# Free space for a build of the smallest model, and of a usual model (several copies of 1 GB).
LEAST_BYTES, USUAL_BYTES = 1_000_000_000, 5_000_000_000
USERS = {FACTORY.name: "the next build", SERVING.name: "a build with --no-image, or serve.sh,"}


def findings() -> list[Finding]:
    """All checks of this module."""
    environments = [environment_of(each) for each in (FACTORY, SERVING)]
    return [python(), *environments, build_folder(), cache()]


def python() -> Finding:
    """Checks the running interpreter; launch.py refuses one that is too old."""
    version = ".".join(map(str, sys.version_info[:3]))
    found = f"{version} at {sys.executable}"
    if FACTORY.is_ready():
        return ok("Python", found)
    if not shutil.which("uv") and not importlib.util.find_spec("ensurepip"):
        return fault(
            "Python",
            f"{found} cannot create a virtual environment with pip (no ensurepip)",
            "on Debian and Ubuntu: apt-get install python3-venv; otherwise put a complete Python, or uv, on PATH",
            UsageError,
        )
    if sys.version_info[:2] > TRIED_PYTHONS[-1]:
        first, last = (".".join(map(str, each)) for each in (TRIED_PYTHONS[0], TRIED_PYTHONS[-1]))
        return warning(
            "Python",
            f"{found} is newer than {last}; the pinned requirements may have no wheels for it",
            f"put a python3 of {first} to {last} on PATH",
        )
    return ok("Python", f"{found}, virtual environments can be created")


def environment_of(environment: Environment) -> Finding:
    """Checks that an environment is complete."""
    check, folder = f"environment {environment.name}", environment.folder
    if environment.is_ready():
        return ok(check, f"{str(folder)!r} is complete")
    if environment.is_damaged():
        return warning(
            check,
            f"{str(folder)!r} is incomplete",
            f"nothing to do: {USERS[environment.name]} creates it again",
        )
    if environment.stamp.exists():
        return ok(check, f"{str(folder)!r} has other requirements; {USERS[environment.name]} updates it")
    return ok(check, f"not created yet; {USERS[environment.name]} creates {str(folder)!r}")


def build_folder() -> Finding:
    """Checks the folder of builds and environments."""
    check, place = "disk, build folder", _existing(BUILD)
    if not os.access(place, os.W_OK):
        return fault(check, f"{str(place)!r} is not writable for this user", "give this user write access", UsageError)
    return room(check, place, LEAST_BYTES if FACTORY.is_ready() else LEAST_BYTES + ENVIRONMENT_BYTES, ExportError)


def room(check: str, folder: Path, least: int, fails_as: type[FactoryError], usual: int = USUAL_BYTES) -> Finding:
    """Checks the free space at `folder`: a fault below `least` bytes, a warning below `usual`."""
    free = free_bytes(folder)
    found = f"{gigabytes(free)} free at {str(folder)!r}"
    if free < least:
        return fault(
            check,
            f"{found}; the smallest build needs {gigabytes(least)}",
            "free some space (./cleanup.sh removes builds)",
            fails_as,
        )
    if free < usual:
        return warning(
            check,
            f"{found}; {gigabytes(usual)} are recommended: a build needs four times the size of the weights",
            "free some space before building a large model (./cleanup.sh removes builds)",
        )
    return ok(check, found)


def cache() -> Finding:
    """Checks the shared cache: its size, its limit, and write access."""
    sizes = {name: size_of(cache_folder(name)) for name in NAMES}
    folder = cache_folder(NAMES[0]).parent
    place = _existing(folder)
    found = f"{', '.join(f'{name} {gigabytes(size)}' for name, size in sizes.items())} at {str(folder)!r}"
    limit = os.environ.get(BOUND_VARIABLE)
    if not os.access(place, os.W_OK):
        return warning("cache", f"{str(place)!r} is not writable for this user", "set XDG_CACHE_HOME to another folder")
    if limit and not _is_number(limit):
        return warning(
            "cache",
            f"{BOUND_VARIABLE}={limit!r} is not a number; {DEFAULT_GIGABYTES:g} GB of graphs are kept",
            "set it to the number of gigabytes to keep, or 0 for none",
        )
    kept = f"at most {gigabytes(int(bound()))} of graphs are kept" if bound() else f"{BOUND_VARIABLE}=0 keeps no graph"
    return ok("cache", f"{found}; {kept}")


def _existing(folder: Path) -> Path:
    """The folder, or its nearest existing parent."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
