"""Excludes this machine from the proxies in the environment. Standard library only."""

import os
from collections.abc import MutableMapping

# As urllib, requests, httpx and gRPC match them. gRPC reads no_grpc_proxy first and no_proxy only without it.
HOSTS = ("localhost", "127.0.0.1", "::1")


def keep_from_proxies(environment: MutableMapping[str, str] = os.environ) -> None:
    """Adds the loopback to no_proxy, NO_PROXY and, if set, no_grpc_proxy, for this process and its children.

    A build's server listens on the loopback, which a proxy on another machine cannot reach.
    """
    known = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    environment["no_proxy"] = environment["NO_PROXY"] = _with_hosts(known)
    if "no_grpc_proxy" in environment:
        environment["no_grpc_proxy"] = _with_hosts(environment["no_grpc_proxy"])


def curl() -> list[str]:
    """The start of a curl command to a server on this machine. Source of the variables: curl's manual."""
    has_proxy = any(os.environ.get(name) for name in ("http_proxy", "all_proxy", "ALL_PROXY"))
    return ["curl", "--noproxy", "*"] if has_proxy else ["curl"]


def _with_hosts(listed: str) -> str:
    entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
    if "*" in entries:  # no host uses a proxy; urllib accepts a star only alone
        return "*"
    return ",".join([*entries, *(host for host in HOSTS if host not in entries)])
