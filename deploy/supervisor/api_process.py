"""The API process of images built with --api: its settings, its socket and its command (docs/api.md)."""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .errors import Fault, SettingError
from .settings import API_NAMES, API_PORT, LOOPBACK, Settings

FACTS = "api.json"
BACKLOG = 1024
_START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from api import main
main.main(sys.argv[1:])
"""


@dataclass(frozen=True)
class ApiProcess:
    """Built from `facts_file`. It asks Triton, which serves `repository` with `limits`."""

    facts_file: str
    repository: str
    limits: Settings

    def listen(self) -> socket.socket:
        """The socket, bound: clients are refused until it listens. Raises Fault for a port in use."""
        host, port = self.limits.api_address, self.limits.api_port
        try:
            bound = socket.socket(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0])
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
        except OSError as error:
            raise Fault(f"{error.strerror}: {API_PORT} {port}") from error
        return bound

    def command(self, python: str) -> list[str]:
        """The command; the socket must be its standard input."""
        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - see canary.py
        limits, tls = self.limits, self.limits.grpc_tls
        start = {
            "facts_file": self.facts_file,
            "repository": self.repository,
            "triton": f"{LOOPBACK}:{limits.grpc_port}",
            "tls": [tls.cert, tls.key] if tls else [],
            "keys_file": limits.api_keys_file,
            "max_body": limits.max_input_bytes,
            "max_inputs": limits.api_max_inputs,
            "drain_seconds": limits.drain_seconds,
        }
        return [python, "-I", "-B", "-c", _START, folder, json.dumps(start)]


def of_image(
    serving: str, repositories: Sequence[str], limits: Settings, environment: Mapping[str, str]
) -> ApiProcess | None:
    """The process of an image whose folder is `serving`; None for an image without --api.

    With TRITON_GRPC=off, Triton serves gRPC on the loopback address only, for this process. Raises SettingError for a
    setting of the API in an image without, and for models that are not in a folder.
    """
    facts = os.path.join(serving, FACTS)  # noqa: PTH118
    if not os.path.exists(facts):  # noqa: PTH110
        for name in API_NAMES:
            if (text := environment.get(name)) and "://" not in text:
                raise SettingError(
                    f"{name} is set, and this image has no API process; build it with --api, or unset it"
                )
        return None
    with open(facts, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 10 ms of every start
        tokenizer = json.load(file)["tokenizer"]
    for repository in repositories:
        if os.path.isdir(os.path.join(repository, tokenizer)):  # noqa: PTH112, PTH118
            for_api = limits if limits.grpc else replace(limits, grpc=True, grpc_address=LOOPBACK)
            return ApiProcess(facts, repository, for_api)
    raise SettingError(
        f"no model repository ({' '.join(repositories)}) has the folder {tokenizer!r}, whose tokenizer the API process "
        "of this image reads; mount the repository the image was built from"
    )
