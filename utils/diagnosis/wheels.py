"""Checks whether there are serving wheels for a Python: `python -m utils.diagnosis.wheels 3.12 x86_64`."""

import sys

from utils import ROOT
from utils.docker import wheelhouse
from utils.docker.context import SERVING_REQUIREMENTS
from utils.host import entry

# The requirements of text classification on a CPU.
REQUIREMENTS = (ROOT / SERVING_REQUIREMENTS, ROOT / "model_repository/fused/requirements-onnxruntime.txt")


def find_wheels(python: str, machine: str) -> str:
    """A sentence about the wheels. Raises ImageError when one is not available."""
    source, count = wheelhouse.find_wheels(REQUIREMENTS, python, machine)
    return f"{source} has the {count} serving wheels for it"


if __name__ == "__main__":
    entry.run(lambda: find_wheels(*sys.argv[1:]))
