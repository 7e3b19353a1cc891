"""Free ports for servers that are started by us. Standard library only."""

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


def choose_ports(host: str, wanted: Mapping[str, int]) -> dict[str, int]:
    """The ports asked for, with a free one for each 0. Raises BootProofError when `host` or a port cannot be had.

    A free one is none that the kernel gives away by itself (ip(7), ip_local_port_range): until the server has bound it,
    any client's connection could get that, and even one that has ended keeps it for a minute.
    """
    chosen = {}
    with contextlib.ExitStack() as held:  # all at once, so that no port is chosen twice
        for service, port in wanted.items():
            try:
                probe = _listen(host, port) if port else _listen_anywhere(host)
            except OSError as error:
                raise BootProofError(
                    f"cannot listen on {host}:{port} for {service}: {error.strerror}; "
                    f"end what listens there, or choose another with --{service}-port (or --host)"
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
        # SO_REUSEADDR forgives a connection that lingers, but only listening tells that no other server does.
        probe.listen()
    except BaseException:
        probe.close()
        raise
    return probe
