"""Exit 0 when Triton in this container is ready and answers the canary right, 1 when not. Standard library only."""

import os
import sys

SERVING = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs 10 ms of every check

# To read and compare golden answers above this takes more than 1% of a processor at the HEALTHCHECK's interval. The
# supervisor repeats the canary by itself, less often, and ends the container for a wrong answer.
MOST_BYTES = 1_000_000


def is_healthy() -> bool:
    """Asks once, of large golden answers only whether the server is ready.

    An overloaded server is healthy: a restart would help nobody.
    """
    from supervisor import canary

    port = _http_port()
    try:
        if canary.request(port, "GET", "/v2/health/ready", seconds=4)[0] != 200:
            return False
        golden = os.path.join(SERVING, "golden.json")  # noqa: PTH118
        if os.path.getsize(golden) > MOST_BYTES:  # noqa: PTH202
            return True
        ours = canary.load(golden, port)
        ours.ask(ours.rows[-1], seconds=12)  # more than a request may wait in a queue (config.pbtxt)
    except canary.WrongAnswerError as error:
        print(error, file=sys.stderr)
        return False
    except canary.NoAnswerError as error:
        return str(error).startswith(tuple(str(status) for status in canary.OVERLOADED))
    return True


def _http_port() -> int:
    """The supervisor's, which may be that of a flag; without its file the environment's."""
    from supervisor import settings

    try:
        with open(settings.port_file(SERVING), encoding="utf-8") as file:  # noqa: PTH123
            return int(file.read())
    except (OSError, ValueError):
        return settings.read({"TRITON_HTTP_PORT": os.environ.get("TRITON_HTTP_PORT", "")}).http_port


if __name__ == "__main__":
    sys.path.insert(0, SERVING)  # which Python's isolated mode leaves out
    sys.exit(0 if is_healthy() else 1)
