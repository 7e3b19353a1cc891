"""The process: its standard input is the listening socket, as with inetd(8)."""

import asyncio
import ctypes
import json
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from .app import make_app
from .channel import connect
from .facts import Facts
from .keys import Keys
from .service import Limits, Service
from .tokens import Tokens
from .triton import Triton

# Idle connections are kept a little longer than the usual proxy's minute.
KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True)
class Start:
    """What the process is started with (deploy/supervisor/api_process.py). `tls`: as for `connect`, or ()."""

    facts_file: str
    repository: str
    triton: str
    tls: Sequence[str]
    keys_file: str
    max_body: int
    max_inputs: int
    drain_seconds: float


def main(arguments: Sequence[str]) -> None:
    """Serves until SIGTERM, and then answers what it has received. It ends with its parent: PR_SET_PDEATHSIG, SIGKILL.

    The argument is a JSON object: a Start.
    """
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    asyncio.run(_serve(Start(**json.loads(arguments[0]))))


async def _serve(start: Start) -> None:
    known = Facts(**json.loads(Path(start.facts_file).read_text(encoding="utf-8")))
    channel = connect(start.triton, (start.tls[0], start.tls[1]) if start.tls else None)
    tokens = Tokens(Path(start.repository, known.tokenizer))
    service = Service(known, Triton(channel, known), tokens, Limits(start.max_body, start.max_inputs))
    config = uvicorn.Config(
        make_app(service, Keys(Path(start.keys_file) if start.keys_file else None)),
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(start.drain_seconds)),
    )
    await uvicorn.Server(config).serve(sockets=[socket.socket(fileno=0)])
