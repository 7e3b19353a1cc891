"""Findings about Python, environments, disk and cache."""

import dataclasses
import sys
import venv

import pytest

from utils.diagnosis import machine
from utils.diagnosis.findings import FAULT, OK, WARNING
from utils.host.environments import FACTORY
from utils.host.errors import ImageError

GB = 1_000_000_000


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment that is not created yet, in place of FACTORY."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("numpy\n")
    fresh = dataclasses.replace(FACTORY, folder=tmp_path / "venv", requirements=(requirements,))
    monkeypatch.setattr(machine, "FACTORY", fresh)
    return fresh


def packages_of(environment):
    return environment.folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def complete(environment):
    venv.create(environment.folder, symlinks=True)
    (packages_of(environment) / "numpy").mkdir(parents=True, exist_ok=True)
    environment.contents.write_text("numpy\n")
    environment.stamp.write_text(environment.digest())


class TestPython:
    def test_a_complete_python(self, environment):
        found = machine.python()
        assert found.status == OK and sys.executable in found.found

    def test_a_python_without_ensurepip(self, environment, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
        found = machine.python()
        assert (found.status, found.exit_code) == (FAULT, 2)
        assert "python3-venv" in found.advice

    def test_uv_needs_no_ensurepip(self, environment, monkeypatch, tmp_path):
        (tmp_path / "uv").touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
        assert machine.python().status == OK

    def test_a_python_newer_than_the_requirements(self, environment, monkeypatch):
        monkeypatch.setattr(machine, "TRIED_PYTHONS", ((3, 8), (3, 9)))
        found = machine.python()
        assert found.status == WARNING and "3.8 to 3.9" in found.advice

    def test_a_ready_environment_needs_no_ensurepip(self, environment, monkeypatch):
        complete(environment)
        monkeypatch.setattr(machine, "TRIED_PYTHONS", ((3, 8), (3, 9)))
        assert machine.python().status == OK


class TestEnvironment:
    def test_not_created(self, environment):
        found = machine.environment_of(environment)
        assert found.status == OK and "not created yet" in found.found

    def test_complete(self, environment):
        complete(environment)
        assert "is complete" in machine.environment_of(environment).found

    def test_other_requirements(self, environment):
        complete(environment)
        environment.requirements[0].write_text("numpy\ntorch\n")
        found = machine.environment_of(environment)
        assert found.status == OK and "other requirements" in found.found

    @pytest.mark.parametrize("harm", ["incomplete", "package gone", "Python gone"])
    def test_damaged(self, environment, harm):
        complete(environment)
        if harm == "incomplete":
            environment.incomplete_mark.touch()
        elif harm == "Python gone":
            environment.python.unlink()
        else:
            (packages_of(environment) / "numpy").rmdir()
        found = machine.environment_of(environment)
        assert found.status == WARNING and "incomplete" in found.found


@pytest.mark.parametrize(("free", "status"), [(GB // 2, FAULT), (2 * GB, WARNING), (9 * GB, OK)])
def test_room(tmp_path, monkeypatch, free, status):
    monkeypatch.setattr(machine, "free_bytes", lambda folder: free)
    found = machine.room("disk", tmp_path, GB, ImageError)
    assert found.status == status
    assert found.exit_code == (7 if status == FAULT else 0)
    assert str(tmp_path) in found.found


def test_a_missing_environment_needs_space(environment, monkeypatch):
    monkeypatch.setattr(machine, "free_bytes", lambda folder: 2 * GB)
    assert machine.build_folder().status == FAULT
    complete(environment)
    assert machine.build_folder().status == WARNING


def test_a_read_only_build_folder(monkeypatch):
    monkeypatch.setattr(machine.os, "access", lambda place, mode: False)
    found = machine.build_folder()
    assert (found.status, found.exit_code) == (FAULT, 2)


class TestCache:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.delenv(machine.BOUND_VARIABLE, raising=False)
        wheels = tmp_path / "triton-image-factory/wheels/abc"
        wheels.mkdir(parents=True)
        (wheels / "numpy.whl").write_bytes(b" " * 3_000_000)

    def test_sizes_and_limit(self):
        found = machine.cache()
        assert found.status == OK
        assert "wheels 3 MB, graphs 0 MB" in found.found and "at most 20.0 GB" in found.found

    def test_disabled(self, monkeypatch):
        monkeypatch.setenv(machine.BOUND_VARIABLE, "0")
        assert "keeps no graph" in machine.cache().found

    def test_an_invalid_limit(self, monkeypatch):
        monkeypatch.setenv(machine.BOUND_VARIABLE, "20GB")
        found = machine.cache()
        assert found.status == WARNING and "'20GB'" in found.found

    def test_a_read_only_folder(self, monkeypatch):
        monkeypatch.setattr(machine.os, "access", lambda place, mode: False)
        assert "XDG_CACHE_HOME" in machine.cache().advice
