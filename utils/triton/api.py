"""The API process beside a Triton of this machine, as the image's supervisor starts it. Standard library only."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from deploy.supervisor.api_process import BACKLOG, ApiProcess
from deploy.supervisor.settings import Settings
from utils.host import environment
from utils.host.environments import API
from utils.host.errors import BootProofError
from utils.triton.address import ServerAddress
from utils.triton.ports import choose_ports

READY_SECONDS = 60.0
STOP_SECONDS = 10.0


@contextlib.contextmanager
def serve_api(
    facts: Path, model_repository: Path, server: ServerAddress, limits: Settings, log: BinaryIO | None = None
) -> Iterator[ServerAddress]:
    """Runs the process for the duration of the block; gives `server` with its address.

    `limits`: the settings of the server and the API; port 0 selects a free one. `log` gets its output (None: stderr).
    Raises BootProofError if it does not start.
    """
    python = environment.ensure(API)
    port = choose_ports(limits.api_address, {"api": limits.api_port})["api"]
    own = replace(limits, api_port=port, grpc_port=int(server.grpc.rpartition(":")[2]), grpc_tls=None)
    process = ApiProcess(str(facts.resolve()), str(model_repository.resolve()), own)
    with process.listen() as listening:
        listening.listen(BACKLOG)
        started = subprocess.Popen(process.command(str(python)), stdin=listening.fileno(), stdout=log, stderr=log)
    address = replace(server, api=f"{server.http.rpartition(':')[0]}:{port}")
    try:
        _wait_until_ready(started, address)
        yield address
    finally:
        started.terminate()
        try:
            started.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", address: ServerAddress) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not address.is_api_ready(timeout=5):
        if process.poll() is not None:
            raise BootProofError(f"the API process ended with exit code {process.returncode}; see its output above")
        if time.monotonic() > deadline:
            raise BootProofError(f"the API process was not ready in {READY_SECONDS:g} s; see its output above")
        time.sleep(0.05)
