"""The image's ENTRYPOINT: `supervise.py [tritonserver] [--flag ...]`, or any other command. Standard library only."""

import os
import sys

SERVING = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs 10 ms of every start

if __name__ == "__main__":
    sys.path.insert(0, SERVING)  # isolated mode omits it
    from supervisor.entry import main  # type: ignore[import-not-found]  # only in /opt/serving

    sys.exit(main(sys.argv[1:], SERVING))
