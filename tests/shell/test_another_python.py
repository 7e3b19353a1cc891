"""The scripts under one `python3` after another: a finished environment keeps its own.

Real interpreters and real environments; requirements.txt is empty, so that no package index is needed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from utils import ROOT
from utils.host.base_python import base_python

VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
RENAMED = """
import sys
sys.version = sys.version.replace("(", "(another ", 1)
{more}
"""
TOO_OLD = "import collections; sys.version_info = collections.namedtuple('V', 'major minor micro')(3, 9, 2)"
TOLD = "import json, sys; print(json.dumps([sys.version, sys.base_prefix]))"


def make_python(folder, more=""):
    """A Python of another prefix and another `sys.version`: this one's program over links to its library.

    It stands for another release, and hides what the two would not have in common: C extensions and syntax. Real ones
    are tried beside it where this machine has any.
    """
    (folder / "bin").mkdir(parents=True)
    shutil.copy2(Path(base_python()).resolve(), folder / "bin" / VERSION)
    for name in ("python3", "python"):
        (folder / "bin" / name).symlink_to(VERSION)
    library = folder / "lib" / VERSION
    library.mkdir(parents=True)
    for path in Path(os.__file__).parent.iterdir():
        if path.name not in ("site-packages", "sitecustomize.py", "__pycache__"):
            (library / path.name).symlink_to(path)
    (library / "sitecustomize.py").write_text(RENAMED.format(more=more))
    for shared in Path(sys.base_prefix, "lib").glob("libpython3*.so*"):  # a program that lies in one finds it so
        (folder / "lib" / shared.name).symlink_to(shared)
    return folder / "bin"


def pythons_at_hand():
    """Folders with a `python3` of another version, one a version: pyenv's, and those of PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/3*/bin")
    found = {}
    for folder in [*sorted(pyenv), *map(Path, os.get_exec_path())]:
        ask = "import sys; sys.prefix == sys.base_prefix and print(sys.version.split()[0])"
        if "shims" in folder.parts or not (folder / "python3").is_file():
            continue
        version = subprocess.run([folder / "python3", "-c", ask], capture_output=True, text=True).stdout.strip()
        if version and version != sys.version.split()[0]:
            found.setdefault(version, folder)
    return found


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(folder)`: told.py in the environment, `python3` on PATH being that of `folder`; its answer and stderr."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("utils", "deploy", "examples", "benchmarks", "model_repository"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", checkout / "pyproject.toml")
    (checkout / "requirements.txt").touch()
    (checkout / "told.py").write_text(TOLD)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}

    def call(folder):
        command = ["python3", str(checkout / "utils/launch.py"), "utils.host.environment", "told"]
        path = os.pathsep.join([str(folder), "/usr/bin", "/bin"])
        done = subprocess.run(
            command,
            env={**clean, "PATH": path, "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    call.checkout = checkout
    return call


@pytest.fixture
def own(tmp_path):
    """The folder of a `python3` that is the one below the test's own."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own/python3").symlink_to(base_python())
    return tmp_path / "own"


def test_an_environment_serves_under_every_other_python_on_path(run, own, tmp_path):
    answer, message = run(own)
    assert "setting up" in message
    others = {"made": make_python(tmp_path / "made"), "too old": make_python(tmp_path / "old", TOO_OLD)}
    others.update(pythons_at_hand())
    print("tried:", ", ".join(others))
    for name, folder in others.items():
        assert run(folder) == (answer, ""), name


def test_changed_requirements_are_installed_by_the_environments_own_python(run, own, tmp_path):
    answer, _ = run(own)
    site = next((run.checkout / ".venv/lib").glob("python3*/site-packages"))
    (site / "installed_before.py").touch()
    (run.checkout / "requirements.txt").write_text("# changed\n")
    changed, message = run(make_python(tmp_path / "made"))
    assert (changed, message.count("setting up")) == (answer, 1)
    assert "creating it again" not in message
    assert (site / "installed_before.py").exists()
    assert [path.name for path in (run.checkout / ".venv/lib").iterdir()] == [site.parent.name]


@pytest.mark.long
def test_an_environment_whose_python_is_removed_is_made_from_an_empty_folder(run, own, tmp_path):
    made = make_python(tmp_path / "made")
    answer, _ = run(made)
    assert "another" in answer
    environment = run.checkout / ".venv"
    (environment / "left over").touch()
    lock = (environment / ".set-up.lock").stat().st_ino
    shutil.rmtree(made.parent)
    answer, message = run(own)
    assert "another" not in answer
    assert message.splitlines()[0] == ".venv is incomplete or its Python does not run: creating it again"
    assert not (environment / "left over").exists()
    assert (environment / ".set-up.lock").stat().st_ino == lock
    assert run(own) == (answer, "")


def test_what_an_earlier_version_made_over_an_environment_is_made_anew(run, own, tmp_path):
    """`venv` over an environment of another Python leaves its program beside a pyvenv.cfg of the new one."""
    answer, _ = run(own)
    environment = run.checkout / ".venv"
    config = environment / "pyvenv.cfg"
    config.write_text(config.read_text().replace(f"version = {sys.version.split()[0]}", "version = 3.8.1"))
    assert "creating it again" in run(own)[1]
    assert run(own) == (answer, "")


@pytest.mark.long
def test_an_activated_environment_that_is_damaged_is_made_anew_from_within(run, own):
    answer, _ = run(own)
    environment = run.checkout / ".venv"
    (environment / ".half-made").touch()
    again, message = run(environment / "bin")
    assert "creating it again" in message
    assert (again, (environment / ".half-made").exists()) == (answer, False)
