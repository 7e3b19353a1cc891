"""Checks what references to other storages need: programs, and the servers in their variables."""

import os
import shutil
from collections.abc import Callable
from functools import partial

from utils.diagnosis.findings import Finding, ok, warning
from utils.diagnosis.network import PROXY_LOGIN, Check, status_of
from utils.sources.storage.scrub import scrub

# check -> (scheme, variable with the server's address, path of a request that needs no login)
_SERVERS = {
    "MLflow": ("mlflow", "MLFLOW_TRACKING_URI", "/health"),
    "Weights & Biases": ("wandb", "WANDB_BASE_URL", "/healthz"),
}


def checks() -> list[Check]:
    """The programs of git, and each server whose variable has an address."""
    servers: list[tuple[str, Callable[[], Finding]]] = [
        (check, partial(_server, check))
        for check, (_, variable, _) in _SERVERS.items()
        if os.environ.get(variable, "").startswith(("http://", "https://"))
    ]
    return [("git", git), *servers]


def git() -> Finding:
    """Checks that the programs of git: references are installed."""
    missing = [program for program in ("git", "git-lfs") if not shutil.which(program)]
    if not missing:
        return ok("git", "git and git-lfs are installed")
    return warning(
        "git",
        f"{' and '.join(missing)} not found; git: references cannot be fetched, or not their large files",
        f"nothing to do, unless you use them: install {' and '.join(missing)}",
    )


def _server(check: str) -> Finding:
    scheme, variable, path = _SERVERS[check]
    address = os.environ[variable].rstrip("/")
    answer = status_of(f"{address}{path}")
    if answer.isdigit() and int(answer) < 500 and answer != PROXY_LOGIN:
        return ok(check, f"{scrub(address)} responds")
    return warning(
        check,
        f"{scrub(address)} does not respond ({answer}); {scheme}: references cannot be fetched",
        f"check {variable}, the network, and that the server runs",
    )
