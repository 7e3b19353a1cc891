"""Where a server under proof listens."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """Its two endpoints, each as host:port."""

    http: str
    grpc: str
