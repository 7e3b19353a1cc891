"""The Docker client, its builder, and the engine behind it."""

import json
import os
from pathlib import Path
from typing import Any

from utils.diagnosis.findings import Finding, fault, fault_of, ok, warning
from utils.diagnosis.machine import LEAST_BYTES, USUAL_BYTES, room
from utils.docker.client import LEGACY, DockerClient, find_client
from utils.docker.engine import Engine, reach
from utils.host.disk import gigabytes
from utils.host.errors import ImageError
from utils.targets.platforms import MACHINES

ANSWER_SECONDS = 5
# NVIDIA's py3 images take 8 to 15 GB.
BASE_IMAGE_BYTES = 20_000_000_000


def client_and_engine(base_image: str) -> tuple[list[Finding], Engine | None]:
    """The findings, and the engine if one answers; without `base_image` on it, it also needs space for that."""
    try:
        client = find_client()
    except ImageError as error:
        return [fault_of("Docker client", error)], None
    found = [_client(client), _builder(client)]
    try:
        engine = reach(client, ANSWER_SECONDS)
    except ImageError as error:
        return [*found, fault_of("Docker engine", error)], None
    return [*found, *_engine(engine, base_image)], engine


def _client(client: DockerClient) -> Finding:
    host = os.environ.get("DOCKER_HOST")
    return ok("Docker client", f"{client.version()} at {client.program}{f', DOCKER_HOST={host}' if host else ''}")


def _builder(client: DockerClient) -> Finding:
    if client.builder == LEGACY:
        return warning(
            "Docker builder",
            f"{client.program} has no buildx plugin: the legacy builder is used, which builds every stage",
            "install the buildx plugin (the package is docker-buildx or docker-buildx-plugin)",
        )
    return ok("Docker builder", client.builder)


def _engine(engine: Engine, base_image: str) -> list[Finding]:
    answer = engine.client.run("info", "--format", "{{json .}}", seconds=ANSWER_SECONDS).stdout
    try:
        facts: dict[str, Any] = json.loads(answer)
    except ValueError:
        facts = {}
    machine = str(facts.get("Architecture", ""))
    version, driver = (facts.get(name, "unknown") for name in ("ServerVersion", "Driver"))
    root = engine.root_folder()
    found = f"{version} on {machine or 'an unknown machine'}, storage {driver} at {facts.get('DockerRootDir', '?')!r}"
    if machine and machine not in (*MACHINES, *MACHINES.values()):
        engine_found = fault(
            "Docker engine",
            f"{found}; Triton runs on {', '.join(MACHINES.values())}",
            "set DOCKER_HOST to another engine",
            ImageError,
        )
    else:
        engine_found = ok("Docker engine", found)
    return [engine_found, _room(root, BASE_IMAGE_BYTES if not engine.has(base_image) else USUAL_BYTES)]


def _room(root: Path | None, usual: int) -> Finding:
    if root is None:
        return warning(
            "disk, engine",
            "the engine is on another machine, or does not report its image folder",
            f"provide {gigabytes(usual)} of free space there",
        )
    return room("disk, engine", root, LEAST_BYTES, ImageError, usual)
