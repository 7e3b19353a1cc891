"""The flags Triton is started with, as far as its release knows them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

# Everything but health, metadata and inference.
ADMIN_APIS = "shared-memory,model-config,model-repository,statistics,trace,logging"
# As an HTTP header; over gRPC the metadata key is triton-grpc-protocol-admin-key.
ADMIN_HEADER = "admin-key"


def known(help_text: str) -> frozenset[str]:
    """The names of the flags in the output of `tritonserver --help`, without their dashes."""
    return frozenset(re.findall(r"(?m)^\s+--([a-z0-9-]+)", help_text))


def hardening(flags: frozenset[str], *, admin_key: str, max_input_bytes: int) -> list[str]:
    """No model control, admin APIs closed without the key, and the largest body of a request in bytes.

    No ports of cloud services, no traces, and a bound for the answers that wait for a client of a gRPC stream. Releases
    with --allow-client-shm keep the shared memory APIs off without it; it is set where there is a key.
    """
    # Without a key of the user's, one that nobody knows.
    restricted = f"{ADMIN_APIS}:{ADMIN_HEADER}={admin_key or os.urandom(24).hex()}"
    wanted = {
        "model-control-mode": "none",
        "disable-auto-complete-config": "",
        "strict-readiness": "true",
        "http-restricted-api": restricted,
        "grpc-restricted-protocol": restricted,
        "allow-vertex-ai": "false",
        "allow-sagemaker": "false",
        "trace-config": "level=off",
        "grpc-max-response-pool-size": "64",
        "allow-client-shm": "true" if admin_key else "false",
        "http-max-input-size": str(max_input_bytes),
    }
    return [f"--{name}={value}" if value else f"--{name}" for name, value in wanted.items() if name in flags]


def missing(flags: frozenset[str]) -> list[str]:
    """What a release that does not know a flag leaves open, one sentence each."""
    gaps = {
        "http-restricted-api": "this release cannot close its admin APIs over HTTP: keep port 8000 to trusted clients",
        "grpc-restricted-protocol": "this release cannot close its admin APIs over gRPC: do not publish port 8001",
    }
    return [sentence for name, sentence in gaps.items() if name not in flags]


def without(command: Sequence[str], added: Sequence[str]) -> list[str]:
    """`command` without those flags that `added` sets: Triton refuses some of its flags twice."""
    names = {flag.partition("=")[0] for flag in added}
    return [part for part in command if part.partition("=")[0] not in names]
