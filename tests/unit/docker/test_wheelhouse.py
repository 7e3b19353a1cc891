"""Wheels for the target's Python: markers, cache, messages. pip is a stub that records its arguments.

The stub does not compare hashes: test_wheel_locks.py does that with the real pip.
"""

import hashlib
import stat
import sys

import pytest

from utils import ROOT
from utils.docker import wheelhouse
from utils.host.errors import ImageError

REQUIREMENTS = """\
# a comment
numpy==1.26.4; python_version >= "3.9"   # why
numpy==1.24.4; python_version < "3.9"

onnxruntime==1.0; platform_machine == "x86_64"
"""

NUMPY, PIP = b"first half", b"pip"
LOCK = "".join(
    f"{pin} \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{hashlib.sha256(NUMPY).hexdigest()}\n"
    for pin in ("numpy==1.26.4 ; python_full_version >= '3.9'", "numpy==1.24.4", "onnxruntime==1.0")
)
FILES = ["numpy-1.26.4-py3-none-any.whl", "pip-25.0.1-py3-none-any.whl"]

STUB = """\
import os, pathlib, sys
if "--version" in sys.argv:
    sys.exit(0)
with open(os.environ["STUB_RECORD"], "a") as record:
    print(*sys.argv[1:-1], *pathlib.Path(sys.argv[-1]).read_text().split(), file=record)
folder = pathlib.Path(sys.argv[sys.argv.index("--dest" if "--dest" in sys.argv else "--target") + 1])
folder.mkdir(parents=True, exist_ok=True)
(folder / "numpy-1.26.4-py3-none-any.whl").write_text("first half")
if os.environ.get("STUB_ERROR"):
    sys.exit(os.environ["STUB_ERROR"])
(folder / "pip-25.0.1-py3-none-any.whl").write_text("pip")
"""


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """The recorded arguments, one line per call."""
    (tmp_path / "stub.py").write_text(STUB)
    record = tmp_path / "calls"
    record.touch()
    monkeypatch.setenv("STUB_RECORD", str(record))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(wheelhouse, "PIP_HASH", hashlib.sha256(PIP).hexdigest())
    monkeypatch.setattr(wheelhouse, "_pips", lambda: iter([[sys.executable, str(tmp_path / "stub.py")]]))
    return lambda: record.read_text().splitlines()


@pytest.fixture
def requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text(REQUIREMENTS)
    path.with_suffix(".lock").write_text(LOCK)
    return path


def fill(folder, requirements, **options):
    wheelhouse.fill(folder, requirements=[requirements], **({"python": "3.12", "machine": "x86_64"} | options))
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("python", "machine", "expected"),
    [
        ("3.12", "x86_64", ["numpy==1.26.4", "onnxruntime==1.0"]),
        ("3.10", "aarch64", ["numpy==1.26.4"]),
    ],
)
def test_markers_are_evaluated_for_the_target(requirements, python, machine, expected):
    assert wheelhouse.applicable(requirements, python=python, machine=machine) == expected


@pytest.mark.parametrize("python", ["3.10", "3.12", "3.13"])
def test_serving_requirements_are_pinned_once_each(python):
    chosen = wheelhouse.applicable(ROOT / "requirements-serving.txt", python=python, machine="x86_64")
    names = [line.split("==")[0] for line in chosen]
    assert len(set(names)) == len(names) == sum("==" in line for line in chosen)


def test_invalid_requirement_is_named(tmp_path):
    (tmp_path / "bad.txt").write_text("numpy==1\n-r other.txt\n")
    with pytest.raises(ImageError, match=r"bad\.txt line 2: '-r other\.txt'"):
        wheelhouse.applicable(tmp_path / "bad.txt", python="3.12", machine="x86_64")


def test_pip_downloads_for_the_target(pip, requirements, tmp_path):
    assert fill(tmp_path / "out", requirements) == FILES
    (call,) = pip()
    assert "--only-binary=:all: --no-deps --implementation cp --python-version 3.12" in call
    assert "--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64" in call
    assert "--platform manylinux_2_28_x86_64" in call
    assert "--require-hashes --requirement numpy==1.26.4 --hash=sha256:" in call
    assert f"{wheelhouse.PIP} --hash=sha256:{hashlib.sha256(PIP).hexdigest()}" in call


def test_second_build_uses_the_cache(pip, requirements, tmp_path):
    fill(tmp_path / "one", requirements)
    fill(tmp_path / "two", requirements)
    assert len(pip()) == 1
    fill(tmp_path / "two", requirements, python="3.10")
    assert len(pip()) == 2
    fill(tmp_path / "two", requirements, refresh=True)
    assert len(pip()) == 3


def test_wheels_of_an_earlier_build_are_removed(pip, requirements, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/numpy-1.0.whl").touch()
    assert fill(tmp_path / "out", requirements) == FILES


def test_wheels_are_readable_by_all(pip, requirements, tmp_path):
    fill(tmp_path / "out", requirements)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {0o644}


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("ERROR: No matching distribution found for numpy==1.26.4", r"no wheel .* Python 3\.12 on x86_64 .*--release"),
        (
            "WARNING: after connection broken by 'NewConnectionError('\nERROR: No matching numpy",
            "cannot be reached",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. Someone may\n"
            "    numpy==1.26.4 from https://host/numpy-1.26.4-cp312-cp312-linux.whl#sha256=0 (from -r /x (line 1)):\n"
            "        Expected sha256 0\n             Got        1\n",
            r"another file for numpy==1\.26\.4 \(numpy-1\.26\.4-cp312-cp312-linux\.whl\) than the lock",
        ),
        ("ERROR: HTTP error 403 while getting x", "cannot be reached"),
        ("WARNING: Temporary failure in name resolution\nERROR: none", "PIP_FIND_LINKS"),
    ],
)
def test_failed_download_is_reported_and_not_cached(pip, requirements, tmp_path, monkeypatch, error, sentence):
    monkeypatch.setenv("STUB_ERROR", error)
    with pytest.raises(ImageError, match=sentence) as caught:
        fill(tmp_path / "out", requirements)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache/triton-image-factory/wheels").iterdir()) == []
    monkeypatch.delenv("STUB_ERROR")
    assert fill(tmp_path / "out", requirements) == FILES


def test_cache_that_cannot_be_written_is_reported(pip, requirements, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ImageError, match="XDG_CACHE_HOME"):
        fill(tmp_path / "out", requirements)


def test_environment_without_pip_uses_the_base_interpreter(tmp_path, monkeypatch):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    below = tmp_path / "below"
    below.write_text("#!/bin/sh\nexit 0\n")
    below.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    monkeypatch.setattr(sys, "_base_executable", str(below))
    assert wheelhouse.find_pip() == [str(below), "-m", "pip"]


def test_missing_pip_is_reported(monkeypatch):
    monkeypatch.setattr(wheelhouse, "_pips", lambda: iter([["false"]]))
    with pytest.raises(ImageError, match="has no pip"):
        wheelhouse.find_pip()


def test_bundled_pip_is_the_last_resort():
    *_, last = wheelhouse._pips()
    assert last[-1].endswith(".whl/pip") or last[-2:] == ["-m", "pip"]


def test_find_wheels_downloads_nothing_and_prefers_the_cache(pip, requirements, tmp_path):
    assert wheelhouse.find_wheels([requirements], "3.12", "x86_64") == ("the package index", 2)
    (call,) = pip()
    assert call.startswith("install ") and "--dry-run" in call and "--python-version 3.12" in call
    assert not (tmp_path / "cache").exists()
    fill(tmp_path / "out", requirements)
    assert wheelhouse.find_wheels([requirements], "3.12", "x86_64") == ("the cache", 2)
    assert len(pip()) == 2


def test_find_wheels_names_a_missing_wheel(pip, requirements, monkeypatch):
    monkeypatch.setenv("STUB_ERROR", "ERROR: No matching distribution found for numpy==1.26.4")
    with pytest.raises(ImageError, match=r"no wheel .* Python 3\.12 on x86_64"):
        wheelhouse.find_wheels([requirements], "3.12", "x86_64")
