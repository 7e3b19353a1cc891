"""The HEALTHCHECK of the image: is Triton ready, and does it answer the canary correctly?"""

import os
import sys

from . import canary, settings

# Reading and comparing larger golden answers takes more than 1% of a processor at the HEALTHCHECK's interval. The
# supervisor repeats the canary less often, and ends the container after a wrong answer.
MAX_BYTES = 1_000_000


def is_healthy(serving: str) -> bool:
    """Sends one canary request; with large golden answers, only checks that the server is ready.

    `serving` is the folder with golden.json. An overloaded server is healthy, because a restart would not help.
    """
    port = _http_port(serving)
    try:
        if canary.request(port, "GET", "/v2/health/ready", seconds=4)[0] != 200:
            return False
        golden = os.path.join(serving, "golden.json")  # noqa: PTH118 - pathlib costs 10 ms of every check
        if os.path.getsize(golden) > MAX_BYTES:  # noqa: PTH202
            return True
        requests = canary.load(golden, port)
        requests.check(requests.rows[-1], seconds=12)  # longer than a request may be queued (backlog.py)
    except canary.WrongAnswerError as error:
        print(error, file=sys.stderr)
        return False
    except canary.NoAnswerError as error:
        return str(error).startswith(tuple(str(status) for status in canary.OVERLOADED))
    return True


def _http_port(serving: str) -> int:
    """The supervisor's port, which a flag may have set; without its file, the environment's."""
    try:
        with open(settings.port_file(serving), encoding="utf-8") as file:  # noqa: PTH123
            return int(file.read())
    except (OSError, ValueError):
        return settings.read({"TRITON_HTTP_PORT": os.environ.get("TRITON_HTTP_PORT", "")}).http_port
