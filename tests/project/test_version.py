"""One version, in pyproject.toml, printed by every script. The image label is tested in tests/unit/factory."""

import re
import subprocess

import pytest

from utils import ROOT
from utils.host.installed import COMMANDS

VERSION = re.search(r'(?m)^version = "(.+)"$', (ROOT / "pyproject.toml").read_text())[1]


@pytest.mark.parametrize("script", COMMANDS)
def test_a_script_prints_the_version(script, tmp_path):
    done = subprocess.run(
        [str(ROOT / script), "--version", "--no-such-option"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"triton-image-factory {VERSION}\n"), done.stderr


def test_it_is_written_once():
    assert re.search(r"(?m)^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text())[1] == VERSION
