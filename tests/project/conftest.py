"""The environment of requirements-docs.txt, and what it builds."""

import os
import subprocess
import sys

import pytest

from utils import ROOT
from utils.host import environment
from utils.host.environments import DOCS


@pytest.fixture(scope="session")
def docs_python():
    """The Python that has mkdocs, towncrier and hatchling; made on first use (20 s)."""
    return environment.ensure(DOCS)


@pytest.fixture(scope="session")
def tool(docs_python):
    """`tool(module, *arguments)`: the finished process of `python -m module`, run in the project's folder."""
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def call(*arguments):
        command = [str(docs_python), "-m", *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, env=outside, capture_output=True, text=True, timeout=120)

    return call


@pytest.fixture(scope="session")
def installed(tool, tmp_path_factory):
    """The `bin` folder of a fresh environment that has the wheel of this checkout, and nothing else, installed."""
    folder = tmp_path_factory.mktemp("installed")
    done = tool("hatchling", "build", "-t", "wheel", "-d", folder / "dist")
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    base = sys._base_executable
    subprocess.run([base, "-I", "-m", "venv", str(folder / "venv")], check=True)
    install = [str(folder / "venv/bin/python"), "-I", "-m", "pip", "install", "--quiet", "--no-index", str(wheel)]
    subprocess.run(install, check=True)
    return folder / "venv/bin"
