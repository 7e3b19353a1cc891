"""Runs a module of the tests with transformers 5, which has an environment of its own; torch is this environment's."""

import os
import subprocess
from pathlib import Path

from utils import ROOT
from utils.host import environment
from utils.host.environments import TRANSFORMERS5

START = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module(sys.argv.pop(1), run_name="__main__")
"""


def printed_by(module: str, *arguments: object) -> str:
    """What `python -m MODULE ARGUMENT ...` prints."""
    import torch

    packages = Path(torch.__file__).parent.parent
    command = [*map(str, (environment.ensure(TRANSFORMERS5), "-c", START, packages, module, *arguments))]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
