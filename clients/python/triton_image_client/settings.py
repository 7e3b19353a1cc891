"""Where the server is and how it is asked: the keyword arguments that all clients share."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

from triton_image_client.errors import UsageError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PORTS = {"http": 80, "https": 443, "grpc": 8001, "grpcs": 443}


@dataclass(frozen=True, kw_only=True)
class Address:
    """Of a server. `path` is the prefix that a proxy may have, without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def is_secure(self) -> bool:
        """True with TLS."""
        return self.scheme.endswith("s")

    @property
    def is_grpc(self) -> bool:
        """True for gRPC."""
        return self.scheme.startswith("grpc")

    @property
    def uses_proxies(self) -> bool:
        """False on this machine: a proxy of the environment cannot reach it."""
        return self.host not in LOOPBACK

    @property
    def authority(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(server: str) -> Address:
    """The address in `http://host:8000`, `https://host/prefix`, `grpc://host:8001` or `grpcs://host:8001`."""
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{server!r} is not an address: {error}") from error
    if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.username:
        raise UsageError(
            f"{server!r} is not an address of a server; write http://host:8000, https://host, grpc://host:8001 or "
            "grpcs://host:8001"
        )
    path = parts.path.rstrip("/")
    if path and parts.scheme.startswith("grpc"):
        raise UsageError(f"{server!r} has a path; gRPC has none: write {parts.scheme}://{parts.netloc}")
    return Address(scheme=parts.scheme, host=parts.hostname, port=port or PORTS[parts.scheme], path=path)


class Options(TypedDict, total=False):
    """The keyword arguments of clients.

    `model`: name of the served model; "" to look for it. `model_version`: "" for the server's choice.
    `tensors`: names of tensors that differ from the usual ones, such as {"text_input": "sentence"}.
    `max_batch_size`: rows in a request at most; None for the server's limit, at most 64.
    `in_flight`: requests at a time at most. `deadline`: seconds for a request with all its attempts.
    `token`: sent as `authorization: Bearer`. `headers`: sent with each request (gRPC: as metadata).
    `ca_file`: PEM file of the authorities to trust. `client_certificate`: PEM files of certificate and key.
    """

    model: str
    model_version: str
    tensors: Mapping[str, str]
    max_batch_size: int | None
    in_flight: int
    deadline: float
    token: str
    headers: Mapping[str, str]
    ca_file: str | Path | None
    client_certificate: tuple[str | Path, str | Path] | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of a client: the server's address, and the values of Options."""

    address: Address
    model: str = ""
    model_version: str = ""
    tensors: Mapping[str, str] = field(default_factory=dict)
    max_batch_size: int | None = None
    in_flight: int = 4
    deadline: float = 60.0
    token: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: str | Path | None = None
    client_certificate: tuple[str | Path, str | Path] | None = None

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "in_flight"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}; it must be at least 1")
        if not self.deadline > 0:
            raise UsageError(f"deadline is {self.deadline}; it must be above 0")
        if (self.ca_file or self.client_certificate) and not self.address.is_secure:
            raise UsageError(f"{self.address} has no TLS; write https:// or grpcs:// to use certificates")

    @property
    def all_headers(self) -> dict[str, str]:
        """`headers` in lower case, and the token."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return {**headers, "authorization": f"Bearer {self.token}"} if self.token else headers

    def read(self, file: str | Path) -> bytes:
        """A PEM file."""
        try:
            return Path(file).read_bytes()
        except OSError as error:
            raise UsageError(f"{str(file)!r} cannot be read: {error.strerror}; give a PEM file") from error

    def tls(self) -> ssl.SSLContext:
        """For HTTP."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
            if self.client_certificate:
                context.load_cert_chain(*map(str, self.client_certificate))
        except OSError as error:  # ssl.SSLError is one
            raise UsageError(f"the certificates cannot be used: {error}; give PEM files") from error
        return context
