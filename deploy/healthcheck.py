"""Exits with 0 if Triton in this container is ready and answers the canary correctly, else with 1."""

import os
import sys

SERVING = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs 10 ms of every check

if __name__ == "__main__":
    sys.path.insert(0, SERVING)  # isolated mode omits it
    from supervisor.health import is_healthy  # type: ignore[import-not-found]  # only in /opt/serving

    sys.exit(0 if is_healthy(SERVING) else 1)
