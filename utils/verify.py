"""Asks a running server the golden texts and compares its answers with PyTorch's."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """Where a server under proof listens, each as host:port."""

    http: str
    grpc: str
