"""The boot proof's container: started, awaited, and always removed. Standard library only."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from deploy.supervisor.triton_errors import NO_GPU, TELLING
from utils.docker.client import DockerClient, last_line
from utils.host import children
from utils.host.errors import BootProofError
from utils.triton.address import ServerAddress

HTTP_PORT, GRPC_PORT, API_PORT = 8000, 8001, 8080
# Label of every container that we start; its value identifies the process that started it.
OWNER = "triton-image-factory.owner"
# The strictest usual settings: an image that passes the proof with them runs with looser ones.
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
PEAKS = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")
_STATE = "{{.State.Running}} {{.State.ExitCode}} {{.State.OOMKilled}}"
_ADDRESSES = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"


@dataclass(frozen=True, kw_only=True)
class RunningContainer:
    """A container whose server is ready at `address`, `ready_seconds` after the start of the container."""

    client: DockerClient
    name: str
    address: ServerAddress
    ready_seconds: float | None = None

    def log_text(self) -> str:
        """The last 2,000 lines of the server's output."""
        return _log(self.client, self.name)

    def peak_memory(self) -> int | None:
        """The largest memory of the container so far in bytes, with its page cache; None if the engine does not tell.

        Sources: the kernel's cgroup-v2 (memory.peak, since Linux 5.19) and v1 (memory.max_usage_in_bytes).
        """
        found = self.client.run("exec", self.name, "cat", *PEAKS).stdout.split()
        return int(found[0]) if found and found[0].isdecimal() else None


@contextlib.contextmanager
def running(
    client: DockerClient,
    image_id: str,
    *,
    remote_host: str,
    options: Sequence[str],
    ports: Sequence[int] = (HTTP_PORT, GRPC_PORT),
    ready_within: float,
) -> Iterator[RunningContainer]:
    """Starts a container, waits until it is ready, and always removes it. Raises BootProofError.

    `ports`: those that are published, in the order of the fields of ServerAddress.
    """
    # The name is chosen before the container exists, so that it can be removed after an interrupt at any moment.
    name = f"triton-image-factory-{uuid.uuid4().hex[:12]}"
    started, begun = False, time.monotonic()
    try:
        host = "0.0.0.0" if remote_host else "127.0.0.1"
        published = [part for port in ports for part in ("--publish", f"{host}::{port}")]
        _start(client, name, image_id, [*published, *options])
        started = True
        address = _wait_until_ready(client, name, lambda: _candidates(client, name, remote_host, ports), ready_within)
        yield RunningContainer(client=client, name=name, address=address, ready_seconds=time.monotonic() - begun)
    finally:
        _remove(client, name, attempts=1 if started else 3)


def _start(client: DockerClient, name: str, image_id: str, options: Sequence[str]) -> None:
    labels = ["--label", "triton-image-factory=boot-proof", *owned()]
    command = ["run", "--detach", "--name", name, *labels, "--log-driver", "json-file", *HARDENED, *options]
    answer = client.run(*command, image_id, seconds=120)
    if answer.returncode != 0:
        raise BootProofError(
            f"the built image cannot be started ({last_line(answer.stderr)}); if this machine lacks a device it needs "
            "(a GPU, for example), build with --no-verify and verify it on the target machine"
        )


def _wait_until_ready(
    client: DockerClient, name: str, find: Callable[[], list[ServerAddress]], seconds: float
) -> ServerAddress:
    deadline = time.monotonic() + seconds
    candidates = find()
    while True:
        for address in candidates:
            if address.is_ready(timeout=1):
                return address
        running_now, code, out_of_memory = _state(client, name)
        if not running_now:
            reason = "was killed for lack of memory" if out_of_memory else f"exited with code {code}"
            raise BootProofError(f"the server in the built image {reason}; its log:\n{_reason(_log(client, name))}")
        if time.monotonic() > deadline:
            raise BootProofError(
                f"the server in the built image was not ready at {candidates[0].http if candidates else 'any port'} "
                f"within {seconds:g} s; its log:\n{_reason(_log(client, name))}"
            )
        candidates = candidates or find()
        time.sleep(0.1)


def _candidates(client: DockerClient, name: str, remote_host: str, ports: Sequence[int]) -> list[ServerAddress]:
    """Addresses to try, most likely first; none while the container has no ports, for example after it exited."""
    published = [client.run("port", name, f"{port}/tcp").stdout.split()[:1] for port in ports]
    if not all(published):
        return []
    host = remote_host or "127.0.0.1"
    places = [_address(host, [answer.rpartition(":")[2] for (answer,) in published])]
    if not remote_host:
        # If this build runs in a container with the engine's socket, the published ports are on the host.
        inner = client.run("inspect", "--format", _ADDRESSES, name).stdout.split()
        places += [_address(ip, ports) for ip in inner]
    return places


def _address(host: str, ports: Sequence[object]) -> ServerAddress:
    host = f"[{host}]" if ":" in host else host
    http, grpc, *api = (f"{host}:{port}" for port in ports)
    return ServerAddress(http=http, grpc=grpc, api="".join(api))


def _state(client: DockerClient, name: str) -> tuple[bool, str, bool]:
    answer = client.run("inspect", "--format", _STATE, name)
    parts = answer.stdout.split()
    if len(parts) != 3:
        raise BootProofError(
            f"the container of the boot proof is gone ({last_line(answer.stderr)}); run the same command again"
        )
    return parts[0] == "true", parts[1], parts[2] == "true"


def _log(client: DockerClient, name: str) -> str:
    return client.run("logs", "--tail", "2000", name, merged=True).stdout


def _reason(log: str) -> str:
    """The last lines that report errors, or the last lines."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip() and not any(noise in line for noise in NO_GPU)]
    return "\n".join([line for line in lines if TELLING.search(line)][-12:] or lines[-12:])


def query() -> list[str]:
    """The start of `docker run` for a container without network that answers a question, and is removed."""
    return ["run", "--rm", "--network", "none", "--label", "triton-image-factory=query", *owned()]


def owned() -> list[str]:
    """The options by which `remove_leftovers` finds a container whose process is dead."""
    return ["--label", f"{OWNER}={children.this_process()}"]


def remove_leftovers(client: DockerClient) -> None:
    """Removes the containers of builds that were killed on this machine, and no others."""
    listed = client.run(
        "ps", "--all", "--filter", f"label={OWNER}", "--format", f'{{{{.ID}}}} {{{{.Label "{OWNER}"}}}}'
    )
    for line in listed.stdout.splitlines() if listed.returncode == 0 else ():
        container, _, owner = line.partition(" ")
        if children.is_dead(owner.strip()):
            _remove(client, container, attempts=1)


def _remove(client: DockerClient, name: str, *, attempts: int) -> None:
    """Several attempts: the engine may still be creating the container when its client is interrupted."""
    for attempt in range(attempts):
        if attempt:
            time.sleep(0.5)
        if client.run("rm", "--force", "--volumes", name).returncode == 0:
            return
