"""Free ports for servers of this project. Standard library only."""

import contextlib
import errno
import random
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from utils.host.errors import BootProofError

LOWEST = 10_000
ATTEMPTS = 200
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
EPHEMERAL_BY_DEFAULT = 32_768


def choose_ports(host: str, requested: Mapping[str, int]) -> dict[str, int]:
    """The requested ports, with a free one for each 0. Raises BootProofError when `host` or a port is not available.

    A free one is outside the kernel's ephemeral range (ip(7), ip_local_port_range): until the server binds it, a
    client's connection could take such a port, and keep it for a minute after its end.
    """
    chosen = {}
    with contextlib.ExitStack() as held:  # all open at once, so that no port is chosen twice
        for service, port in requested.items():
            try:
                probe = _listen(host, port) if port else _listen_anywhere(host)
            except OSError as error:
                raise BootProofError(
                    f"cannot listen on {host}:{port} for {service}: {error.strerror}; "
                    f"stop the program that listens there, or choose another with --{service}-port (or --host)"
                ) from error
            chosen[service] = held.enter_context(probe).getsockname()[1]
    return chosen


def _listen_anywhere(host: str) -> socket.socket:
    highest = _first_ephemeral() - 1
    for _ in range(ATTEMPTS if highest > LOWEST else 0):
        try:
            return _listen(host, random.SystemRandom().randint(LOWEST, highest))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return _listen(host, 0)


def _first_ephemeral() -> int:
    try:
        return int(re.findall(r"\d+", EPHEMERAL.read_text())[0])
    except (OSError, IndexError):
        return EPHEMERAL_BY_DEFAULT


def _listen(host: str, port: int) -> socket.socket:
    family, kind, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    probe = socket.socket(family, kind)
    try:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)
        # SO_REUSEADDR ignores old connections; only listen() fails when another server listens.
        probe.listen()
    except BaseException:
        probe.close()
        raise
    return probe
