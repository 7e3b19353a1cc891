"""mypy --strict over the components, for the Pythons of the supported releases (24.01 to 26.08)."""

import os
import subprocess
import sys

import pytest

from utils import ROOT
from utils.repository.render import COMPONENTS_ROOT


@pytest.mark.parametrize("python", ["3.10", "3.12"])
def test_components_are_typed(tmp_path, python):
    """Every component has a module `model`, and its folder "1" is no package name: each gets a name of its own here."""
    components = tmp_path / "components"
    components.mkdir()
    for file in COMPONENTS_ROOT.glob("*/1/*.py"):
        if not file.is_symlink():
            name = f"{file.parent.parent.name}_model.py" if file.name == "model.py" else file.name
            (components / name).symlink_to(file)
    assert len(list(components.iterdir())) > 10
    done = subprocess.run(
        [sys.executable, "-m", "mypy", f"--python-version={python}", f"--cache-dir={tmp_path}/cache", components],
        cwd=ROOT, env={**os.environ, "MYPYPATH": str(components)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
