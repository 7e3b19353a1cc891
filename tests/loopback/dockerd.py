"""A Docker engine for the image tests: the reachable one, else a private dockerd while the block runs."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from utils.docker.engine import Engine, connect
from utils.host.errors import ImageError

START_SECONDS = 60


@contextlib.contextmanager
def engine_in_reach() -> Iterator[Engine]:
    """Raises ImageError, with the reason, if no engine answers and none can be started."""
    try:
        engine = connect()
    except ImageError as error:
        if os.geteuid() != 0 or not shutil.which("dockerd"):
            raise ImageError(f"{error}; starting a private dockerd takes root and docker.io") from error
        with _private_dockerd() as engine:
            yield engine
    else:
        yield engine


@contextlib.contextmanager
def _private_dockerd() -> Iterator[Engine]:
    """Its socket, data and process id are below one temporary folder; it is stopped by its id."""
    with tempfile.TemporaryDirectory(prefix="dockerd-", ignore_cleanup_errors=True) as name, _docker_host(name):
        folder = Path(name)
        command = ["dockerd", "--host", os.environ["DOCKER_HOST"]]
        for option, place in (("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")):
            command += [option, str(folder / place)]
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield _wait(daemon, folder / "log")
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)


@contextlib.contextmanager
def _docker_host(folder: str) -> Iterator[None]:
    former = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
    try:
        yield
    finally:
        os.environ.pop("DOCKER_HOST")
        if former is not None:
            os.environ["DOCKER_HOST"] = former


def _wait(daemon: subprocess.Popen[bytes], log: Path) -> Engine:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return connect()
        except ImageError as error:
            if daemon.poll() is not None or time.monotonic() > deadline:
                last = log.read_text(errors="replace").splitlines()[-3:]
                raise ImageError(f"a private dockerd does not start: {' | '.join(last)}") from error
        time.sleep(0.2)
