"""The entry script of NVIDIA's images: it checks the driver, sets variables, and writes a banner on stdout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from .log import say

SCRIPT = "/opt/nvidia/nvidia_entrypoint.sh"
SECONDS = 60
# The script ends in `exec "$@"`, and this is its command.
_WRITE_ENVIRONMENT = r"""
import os, sys
with open(int(sys.argv[1]), "wb") as file:
    file.write(b"\0".join(name + b"=" + value for name, value in os.environb.items()))
"""


def run() -> None:
    """Runs it, if the base image has it, and takes over what it exports. stdout is left to Triton and the models.

    It is a child, not an exec: a script that fails or hangs does not end the container. Limits it sets are its own.
    """
    if not os.path.exists(SCRIPT):  # noqa: PTH110 - pathlib costs 10 ms of every start
        return
    file = os.memfd_create("environment")
    try:
        harm = _harm([SCRIPT, sys.executable, "-I", "-S", "-c", _WRITE_ENVIRONMENT, str(file)], file)
        with open(file, "rb", closefd=False) as written:
            written.seek(0)
            exported = written.read()
    finally:
        os.close(file)
    if harm or not exported:
        say(f"the base image's {SCRIPT} {harm or 'did not run its arguments'}; going on without it")
        return
    os.environb.clear()
    os.environb.update(dict(each.split(b"=", 1) for each in exported.split(b"\0")))


def _harm(command: Sequence[str], file: int) -> str:
    """What went wrong; empty: nothing."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[file], check=False, timeout=SECONDS
        )
    except OSError as error:
        return f"cannot be run ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"was ended after {SECONDS} s"
    return f"ended with {done.returncode}" if done.returncode else ""
