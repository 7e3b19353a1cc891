"""The locks: they hold every pin of their requirements files, with hashes. `.ci/lock` writes them."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from utils import ROOT
from utils.host.environments import ENVIRONMENTS

LOCKS = sorted({lock for environment in ENVIRONMENTS.values() for lock in environment.locks})
# Installed by version only: the files differ between the indexes of CPU and CUDA wheels.
WITHOUT_HASH = {"torch"}


def locked(file):
    """{package: {version: number of hashes}} of a lock; several versions are for different versions of Python."""
    versions: dict[str, dict[str, int]] = {}
    entries = re.findall(r"(?m)^([A-Za-z0-9._-]+)==(\S+)((?:[^\n]*\\\n)+[^\n]*)", file.read_text())
    for name, version, rest in entries:
        versions.setdefault(canonicalize_name(name), {})[version] = rest.count("--hash=sha256:")
    return versions


def test_the_environments_have_locks():
    assert ROOT / "requirements.lock" in LOCKS and ROOT / "requirements-dev.lock" in LOCKS
    unlocked = {environment.name for environment in ENVIRONMENTS.values() if not environment.locks}
    assert unlocked == {"serving-torch"}, "torch, and packages that its wheel decides"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_a_lock_holds_every_pin_of_its_requirements_with_hashes(lock):
    packages = locked(lock)
    assert packages and all(hashes for versions in packages.values() for hashes in versions.values())
    lines = [line.partition("#")[0].strip() for line in lock.with_suffix(".txt").read_text().splitlines()]
    for requirement in map(Requirement, filter(None, lines)):
        name = canonicalize_name(requirement.name)
        assert name in WITHOUT_HASH or str(requirement.specifier).removeprefix("==") in packages[name], requirement
    assert not WITHOUT_HASH & set(packages)


def test_two_locks_of_one_environment_agree():
    factory, dev = locked(ROOT / "requirements.lock"), locked(ROOT / "requirements-dev.lock")
    assert {name for name in factory.keys() & dev.keys() if factory[name].keys() != dev[name].keys()} == set()
