"""Triton's hardening flags, as far as its release knows them."""

import os
import re
from collections.abc import Sequence

# All APIs except health, metadata and inference.
ADMIN_APIS = "shared-memory,model-config,model-repository,statistics,trace,logging"
# As an HTTP header; over gRPC the metadata key is triton-grpc-protocol-admin-key.
ADMIN_HEADER = "admin-key"


def known(help_text: str) -> frozenset[str]:
    """The names of the flags in the output of `tritonserver --help`, without dashes."""
    return frozenset(re.findall(r"(?m)^\s+--([a-z0-9-]+)", help_text))


def hardening(flags: frozenset[str], *, admin_key: str, max_input_bytes: int, is_traced: bool = False) -> list[str]:
    """Flags that fix the models, close the admin APIs without the key, and limit the size of a request's body in bytes.

    They also close the ports of cloud services, disable traces unless `is_traced`, and limit the queued responses of a
    gRPC stream. --allow-client-shm enables the shared memory APIs, which the key restricts. The restrictions are
    always set: all supported releases know them, and another would refuse to start rather than leave the APIs open.
    """
    # Without the user's key, a random one that nobody knows.
    restricted = f"{ADMIN_APIS}:{ADMIN_HEADER}={admin_key or os.urandom(24).hex()}"
    chosen = {
        "model-control-mode": "none",
        "disable-auto-complete-config": "",
        "strict-readiness": "true",
        "http-restricted-api": restricted,
        "grpc-restricted-protocol": restricted,
        "allow-vertex-ai": "false",
        "allow-sagemaker": "false",
        **({} if is_traced else {"trace-config": "level=off"}),
        "grpc-max-response-pool-size": "64",
        "allow-client-shm": "true" if admin_key else "false",
        "http-max-input-size": str(max_input_bytes),
    }
    return [
        f"--{name}={value}" if value else f"--{name}"
        for name, value in chosen.items()
        if name in flags or value == restricted
    ]


def measuring(flags: frozenset[str]) -> list[str]:
    """Quantiles of the duration of requests, in every release; Triton's histograms need 26.01 (core #464)."""
    return ["--metrics-config=summary_latencies=true"] if "metrics-config" in flags else []


def without(command: Sequence[str], added: Sequence[str]) -> list[str]:
    """`command` without the flags that `added` sets: Triton refuses some duplicate flags."""
    names = {flag.partition("=")[0] for flag in added}
    return [part for part in command if part.partition("=")[0] not in names]
