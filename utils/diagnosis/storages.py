"""Checks what references to other storages need: programs, and the servers in their variables."""

import os
import shutil
from collections.abc import Callable
from functools import partial

from utils.diagnosis.findings import Finding, ok, warning
from utils.diagnosis.network import Check, responds, status_of
from utils.sources.storage.scrub import scrub

# check -> (scheme, variable, address of a request that needs no login; {} is the variable's value)
_SERVERS = {
    "S3": ("s3", "AWS_ENDPOINT_URL", "{}/"),
    "Google Cloud Storage emulator": ("gs", "STORAGE_EMULATOR_HOST", "{}/"),
    "Azure Blob Storage": ("az", "AZURE_STORAGE_ACCOUNT", "https://{}.blob.core.windows.net/"),
    "MLflow": ("mlflow", "MLFLOW_TRACKING_URI", "{}/health"),
    "Weights & Biases": ("wandb", "WANDB_BASE_URL", "{}/healthz"),
}


def checks() -> list[Check]:
    """The programs of git, and each server whose variable has an address."""
    servers: list[tuple[str, Callable[[], Finding]]] = [
        (check, partial(_server, check))
        for check, (_, variable, template) in _SERVERS.items()
        if os.environ.get(variable) and _address(variable, template).startswith(("http://", "https://"))
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
    scheme, variable, template = _SERVERS[check]
    address = _address(variable, template)
    answer = status_of(address)
    if responds(answer):
        return ok(check, f"{scrub(address)} responds")
    return warning(
        check,
        f"{scrub(address)} does not respond ({answer}); {scheme}: references cannot be fetched",
        f"check {variable}, the network, and that the server runs",
    )


def _address(variable: str, template: str) -> str:
    return template.format(os.environ[variable].rstrip("/"))
