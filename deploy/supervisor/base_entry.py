"""Runs the entry script of NVIDIA's images, which checks the driver, sets variables and prints a banner."""

import os
import subprocess
import sys
from collections.abc import Sequence

from .log import log

SCRIPT = "/opt/nvidia/nvidia_entrypoint.sh"
SECONDS = 60
# The script ends with `exec "$@"`; this is the command that it runs.
_WRITE_ENVIRONMENT = r"""
import os, sys
with open(int(sys.argv[1]), "wb") as file:
    file.write(b"\0".join(name + b"=" + value for name, value in os.environb.items()))
"""


def run() -> None:
    """Runs the script, if it exists, and adopts the variables it exports. Its output goes to stderr.

    It runs as a child, so a script that fails or hangs does not end the container. Limits that it sets have no effect.
    """
    if not os.path.exists(SCRIPT):  # noqa: PTH110 - pathlib costs 10 ms of every start
        return
    file = os.memfd_create("environment")
    try:
        failure = _failure([SCRIPT, sys.executable, "-I", "-S", "-c", _WRITE_ENVIRONMENT, str(file)], file)
        with open(file, "rb", closefd=False) as written:
            written.seek(0)
            exported = written.read()
    finally:
        os.close(file)
    if failure or not exported:
        log(f"the base image's {SCRIPT} {failure or 'did not run its arguments'}; continuing without it")
        return
    os.environb.clear()
    os.environb.update(dict(each.split(b"=", 1) for each in exported.split(b"\0")))


def _failure(command: Sequence[str], file: int) -> str:
    """What went wrong; empty if nothing did."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[file], check=False, timeout=SECONDS
        )
    except OSError as error:
        return f"cannot be run ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"was killed after {SECONDS} s"
    return f"ended with {done.returncode}" if done.returncode else ""
