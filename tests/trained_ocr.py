"""The networks of examples/ocr, trained once for all tests of a process that need them."""

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from utils import ROOT


@cache
def folder() -> Path:
    """The output of `train --quick`, which fails if fewer than 80% of the unseen words are read exactly."""
    place = Path(tempfile.mkdtemp(prefix="trained-ocr-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    command = [sys.executable, "-m", "examples.ocr.train", "--quick", "--out", str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(place)
    return place
