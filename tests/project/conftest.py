"""The environment of requirements/docs.txt, and what it builds."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from utils import ROOT
from utils.host import environment
from utils.host.environments import DOCS


@pytest.fixture(scope="session")
def docs_python() -> Path:
    """The Python that has mkdocs, towncrier and hatchling; made on first use (20 s)."""
    return environment.ensure(DOCS)


@pytest.fixture(scope="session")
def tool(docs_python: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """`tool(module, *arguments)`: the finished process of `python -m module`, run in the project's folder."""
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def call(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [str(docs_python), "-m", *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, env=outside, capture_output=True, text=True, timeout=120)

    return call


@pytest.fixture(scope="session")
def installed(
    tool: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The `bin` folder of a fresh environment that has the wheel of this checkout, and nothing else, installed."""
    folder = tmp_path_factory.mktemp("installed")
    done = tool("hatchling", "build", "-t", "wheel", "-d", folder / "dist")
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    base: str = sys._base_executable  # type: ignore[attr-defined]
    subprocess.run([base, "-I", "-m", "venv", str(folder / "venv")], check=True)
    install = [str(folder / "venv/bin/python"), "-I", "-m", "pip", "install", "--quiet", "--no-index", str(wheel)]
    subprocess.run(install, check=True)
    return folder / "venv/bin"
