"""The image's ENTRYPOINT: `supervise.py [tritonserver] [--flag ...]`, or any other command. Standard library only."""

import os
import sys

SERVING = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs 10 ms of every start

if __name__ == "__main__":
    sys.path.insert(0, SERVING)  # which Python's isolated mode leaves out
    from supervisor.entry import main

    sys.exit(main(sys.argv[1:], SERVING))
