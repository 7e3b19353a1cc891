"""Whether there are serving wheels for a Python: `python -m utils.diagnosis.wheels 3.12 x86_64`."""

import sys

from utils import ROOT
from utils.docker import wheelhouse
from utils.docker.context import SERVING_REQUIREMENTS
from utils.host import entry

# What a text classification on a CPU installs.
REQUIREMENTS = (ROOT / SERVING_REQUIREMENTS, ROOT / "model_repository/fused/requirements-onnxruntime.txt")


def find_wheels(python: str, machine: str) -> str:
    """What is said of them. Raises ImageError when one of them cannot be had."""
    wanted = [line for file in REQUIREMENTS for line in wheelhouse.applicable(file, python=python, machine=machine)]
    return f"{wheelhouse.find_wheels(wanted, python, machine)} has the {len(wanted)} serving wheels for it"


if __name__ == "__main__":
    entry.run(lambda: find_wheels(*sys.argv[1:]))
