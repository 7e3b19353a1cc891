"""The networks of examples/ocr with the weights of this folder; `./run_tests.sh --long` trains them instead."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from utils import ROOT


@cache
def folder() -> Path:
    """What `python -m examples.ocr.train` writes. At least 80% of the unseen words are read exactly."""
    place = Path(tempfile.mkdtemp(prefix="trained-ocr-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    trained = ("examples.ocr.train", "--quick", "--out") if os.environ.get("TRAIN_OCR") else ("tests.trained_ocr.load",)
    command = [sys.executable, "-m", *trained, str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return place
