"""What clients do to a server: one row a load, called TEXTS-PROTOCOL-CLIENTSxBATCH."""

from dataclasses import dataclass
from fnmatch import fnmatch

PROTOCOLS = {"grpc": "gRPC", "http": "HTTP"}


@dataclass(frozen=True, kw_only=True)
class Load:
    """`texts`: a kind of benchmarks.texts.LENGTHS; `clients` ask one after the other, `batch` texts in a request."""

    texts: str
    protocol: str
    clients: int
    batch: int

    @property
    def name(self) -> str:
        """As in --loads and in the figures."""
        return f"{self.texts}-{self.protocol}-{self.clients}x{self.batch}"

    @property
    def window(self) -> int:
        """Texts that the limit has in memory at a time: twice what busy clients send at once; 1 for one that waits."""
        return 64 if self.clients > 1 else self.batch

    def __str__(self) -> str:
        clients = "1 client" if self.clients == 1 else f"{self.clients} clients"
        return f"{self.texts} texts, {PROTOCOLS[self.protocol]}, {clients}, {self.batch} a request"


LOADS = {
    load.name: load
    for load in (
        *(Load(texts="mixed", protocol="grpc", clients=clients, batch=1) for clients in (1, 8, 32)),
        *(Load(texts="mixed", protocol="http", clients=clients, batch=1) for clients in (1, 8, 32)),
        Load(texts="mixed", protocol="grpc", clients=1, batch=8),
        Load(texts="mixed", protocol="grpc", clients=8, batch=8),
        Load(texts="mixed", protocol="http", clients=8, batch=8),
        Load(texts="short", protocol="grpc", clients=32, batch=1),
        Load(texts="long", protocol="grpc", clients=32, batch=1),
    )
}
QUICK = ("mixed-grpc-1x1", "mixed-grpc-8x1")


def matches(load: Load, patterns: tuple[str, ...] | list[str]) -> bool:
    """True when the load's name fits one of `patterns`, such as "mixed-*x1"."""
    return any(fnmatch(load.name, pattern) for pattern in patterns)
