"""`pip install` of the project: the wheel of this checkout in a fresh environment; its console scripts as processes.

The scripts find the converter's packages in the environments of the checkout (TRITON_FACTORY_ENVIRONMENTS), so that the
test does not install torch. So it does not show that a first build installs them: tests/unit/host/test_environment.py.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from utils import ROOT
from utils.host import installed as installation
from utils.host.environments import ENVIRONMENTS
from utils.launch import CONSOLE

FOR_DEVELOPMENT = {
    Path("requirements-dev.txt"),
    *(Path(f"requirements/{name}.txt") for name in ("docs", "coverage", "gcs-emulator", "mlflow-server")),
}
VERSION = re.search(r'(?m)^version = "(.+)"$', (ROOT / "pyproject.toml").read_text())[1]


@pytest.fixture
def run(installed, tmp_path):
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRITON_"))}

    def call(command, *arguments):
        return subprocess.run(
            [str(installed / command), *map(str, arguments)],
            cwd=tmp_path,
            env={**outside, "TRITON_FACTORY_ENVIRONMENTS": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return call


def test_one_folder_in_site_packages(installed):
    site = next((installed.parent / "lib").glob("python*/site-packages"))
    names = {path.name for path in site.iterdir() if "triton" in path.name or path.name in ("utils", "deploy", "tests")}
    assert names == {"triton_image_factory", f"triton_image_factory-{VERSION}.dist-info"}


@pytest.mark.parametrize("command", CONSOLE)
def test_each_command_prints_its_version_and_its_name(run, command):
    done = run(command, "--version")
    assert (done.returncode, done.stdout) == (0, f"triton-image-factory {VERSION}\n"), done.stderr
    assert f"usage: {command}" in run(command, "--help").stdout


def test_the_commands_have_the_names_that_messages_use():
    assert set(installation.COMMANDS.values()) == set(CONSOLE)
    assert all((ROOT / script).is_file() for script in installation.COMMANDS)


def test_the_options_are_those_of_the_script(run):
    script = subprocess.run([str(ROOT / "make_triton_image.sh"), "--help"], capture_output=True, text=True, check=True)
    options = re.findall(r"(?m)^  (--[a-z-]+)", script.stdout)
    assert re.findall(r"(?m)^  (--[a-z-]+)", run("triton-image-factory", "--help").stdout) == options


def test_a_usage_error(run):
    done = run("triton-image-factory", "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    assert "see triton-image-factory --help" in done.stderr


def test_a_build_writes_to_the_current_folder_only(run, installed, tiny_bert, tmp_path):
    site = next((installed.parent / "lib").glob("python*/site-packages/triton_image_factory"))
    before = sorted(path for path in site.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__")
    done = run("triton-image-factory", tiny_bert, tiny_bert, "-", "topics", "v1", "2", "--no-image", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model_repository"] == str(tmp_path / "build/topics/v1/model_repository")
    assert f"triton-image-factory-serve {tmp_path}/build/topics/v1/model_repository" in done.stderr
    after = sorted(path for path in site.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__")
    assert after == before
    assert run("triton-image-factory-cleanup", "topics", "v1").stdout == "removed build/topics/v1\n"
    assert not (tmp_path / "build/topics").exists()


def test_the_package_has_the_requirements_of_every_environment_that_a_build_makes(installed):
    site = next((installed.parent / "lib").glob("python*/site-packages/triton_image_factory"))
    places = {path.relative_to(ROOT) for each in ENVIRONMENTS.values() for path in each.requirements}
    needed = {path for path in places if path.parts[0] not in ("examples", "benchmarks")} - FOR_DEVELOPMENT
    assert len(needed) > 5
    assert [path for path in needed if not (site / path).is_file()] == []
    assert [path for path in FOR_DEVELOPMENT if (site / path).exists()] == []


def test_environments_of_an_installed_package_are_in_the_cache_folder(installed, tmp_path):
    site = next((installed.parent / "lib").glob("python*/site-packages/triton_image_factory"))
    code = "from utils.host import environments as e; print(e.FACTORY.folder)"
    outside = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(site)}
    done = subprocess.run(
        [str(installed / "python"), "-c", code], env=outside, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "triton-image-factory/environments" / VERSION / ".venv")
