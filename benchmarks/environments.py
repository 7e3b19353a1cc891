"""The environments that only benchmarks need: `environments.py NAME MODULE [ARG ...]` runs a module in one of them.

Standard library only, like utils/host/environment.py.
"""

import sys
from typing import NoReturn

from utils import ROOT
from utils.host import entry, environment
from utils.host.environments import FACTORY, PLACE, SAMPLE, Environment

BENCHMARK = Environment(
    name="benchmark",
    folder=FACTORY.folder,
    requirements=(ROOT / "requirements.txt", ROOT / "benchmarks/requirements.txt"),
    base=SAMPLE,
)
# Other servers that the benchmark measures, with the torch and transformers they need.
INFINITY = Environment(
    name="infinity", folder=PLACE / ".venv-infinity", requirements=(ROOT / "benchmarks/requirements-infinity.txt",)
)
MLSERVER = Environment(
    name="mlserver", folder=PLACE / ".venv-mlserver", requirements=(ROOT / "benchmarks/requirements-mlserver.txt",)
)
LOCUST = Environment(
    name="locust", folder=PLACE / ".venv-locust", requirements=(ROOT / "benchmarks/dynamic_batching/requirements.txt",)
)
ENVIRONMENTS = {each.name: each for each in (BENCHMARK, INFINITY, MLSERVER, LOCUST)}


def main(arguments: list[str]) -> NoReturn:
    """Creates the environment NAME if needed and becomes MODULE in it."""
    name, module, *rest = arguments
    environment.become(ENVIRONMENTS[name], module, rest)


if __name__ == "__main__":
    # Not entry.run: exec replaces this process, which needs the real file descriptor 1.
    sys.exit(entry.exit_code(lambda: main(sys.argv[1:])))
