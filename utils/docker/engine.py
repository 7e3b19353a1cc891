"""The Docker engine of a build: base images, builds, tags and the boot proof's container. Standard library only."""

import contextlib
import ipaddress
import json
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from utils.docker.client import BUILDX, LEGACY, DockerClient, find_client, last_line
from utils.docker.running_container import (
    API_PORT,
    GRPC_PORT,
    HTTP_PORT,
    RunningContainer,
    query,
    remove_leftovers,
    running,
)
from utils.host import progress
from utils.host.errors import ImageError, ReleaseError
from utils.targets.platforms import MACHINES

READY_SECONDS = 120.0
LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
_PRINT_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def connect() -> "Engine":
    """The engine of the docker client in use. Raises ImageError without a client or an engine that responds."""
    engine = reach(find_client())
    remove_leftovers(engine.client)
    return engine


def reach(client: DockerClient, seconds: float = 30) -> "Engine":
    """The engine of `client`. Raises ImageError when it does not respond within `seconds`."""
    endpoint = _endpoint(client)
    answer = client.run("version", "--format", "{{.Server.Version}}", seconds=seconds)
    if answer.returncode != 0 or not answer.stdout.strip():
        raise ImageError(
            f"no Docker engine answers at {endpoint} ({last_line(answer.stderr)}); start it, set DOCKER_HOST to "
            "another, or use --no-image to build the model repository only"
        )
    host = (urlsplit(endpoint).hostname or "") if endpoint.startswith(("tcp://", "ssh://")) else ""
    return Engine(client=client, remote_host="" if host in LOCAL_HOSTS else host)


def _endpoint(client: DockerClient) -> str:
    if named := os.environ.get("DOCKER_HOST"):
        return named
    answer = client.run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", seconds=30)
    return answer.stdout.strip() or "unix:///var/run/docker.sock"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine that responds. `remote_host` is empty when containers publish their ports on this machine."""

    client: DockerClient
    remote_host: str = ""

    def has(self, image: str) -> bool:
        """Whether the image is on the engine."""
        return bool(self._inspect(image, "{{.Id}}"))

    def pull_if_missing(self, image: str) -> None:
        """Pulls `image` if the engine does not have it. Raises ImageError when that fails."""
        if self.has(image):
            return
        progress.note(f"pulling {image}")
        code, line = self.client.watch("pull", image)
        if code != 0:
            raise ImageError(
                f"base image {image} is not on the Docker engine and cannot be pulled ({line}); check the name "
                "(--release, --base-image, --slim-image) and the network, or run `docker login` for its registry"
            )

    def python_version(self, image: str) -> str:
        """The version of the image's python3, like "3.12". Raises ImageError when the image has no working python3."""
        answer = self.run_in(image, "python3", "-c", _PRINT_VERSION)
        if not re.fullmatch(r"\d+\.\d+", answer):
            raise ImageError(
                f"base image {image} has no python3 that runs here ({answer}); use a full Triton image "
                "(nvcr.io/nvidia/tritonserver:YY.MM-py3 or one derived from it) for this engine's architecture"
            )
        return answer

    def triton_release(self, image: str) -> str:
        """The release in the environment of a Triton image, like "24.10"; empty if it is not set."""
        variables = self._inspect(image, "{{range .Config.Env}}{{println .}}{{end}}").splitlines()
        found = (re.fullmatch(r"NVIDIA_TRITON_SERVER_VERSION=(\d\d\.\d\d)", variable) for variable in variables)
        return next((match[1] for match in found if match), "")

    def require_backend(self, image: str, backend: str) -> None:
        """Raises ImageError when the base image lacks `backend`. Not every build of Triton has all of them."""
        folder = f"/opt/tritonserver/backends/{backend}"
        if self.run_in(image, "ls", "-d", folder) != folder:
            raise ImageError(
                f"base image {image} has no {folder}, which --format needs; use a full Triton image "
                "(nvcr.io/nvidia/tritonserver:YY.MM-py3), or omit --format"
            )

    def os_release(self, image: str) -> tuple[str, str]:
        """ID and VERSION_ID of the image's distribution, like ("ubuntu", "24.04"); empty if not stated."""
        return parse_os_release(self.run_in(image, "cat", "/etc/os-release"))

    def machine(self, image: str) -> str:
        """The image's architecture as wheels name it: "x86_64" or "aarch64". ImageError for any other."""
        architecture = self._inspect(image, "{{.Architecture}}")
        if architecture not in MACHINES:
            raise ImageError(
                f"image {image} is for architecture {architecture or '(none)'}; Triton supports {', '.join(MACHINES)}"
            )
        return MACHINES[architecture]

    def digest(self, image: str) -> str:
        """The digest of the image in the registry that it was pulled from; "" for one that was made on the engine."""
        pulled = self._inspect(image, "{{range .RepoDigests}}{{println .}}{{end}}").split()
        repository, _, last = image.partition("@")[0].rpartition("/")
        name = f"{repository}/{last.partition(':')[0]}".lstrip("/")
        digests = dict(each.split("@", 1) for each in pulled if "@" in each)
        return digests.get(name) or next(iter(digests.values()), "")

    def platform(self, image: str) -> str:
        """Like "linux/amd64"."""
        return self._inspect(image, "{{.Os}}/{{.Architecture}}")

    def native_platform(self) -> str:
        """The engine's own platform, like "linux/amd64"."""
        return self.client.run("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}").stdout.strip()

    def pull_platform(self, reference: str, platform: str) -> None:
        """Pulls `reference`, which has a digest, for another platform. Raises ImageError."""
        progress.note(f"pulling {reference} for {platform}")
        code, line = self.client.watch("pull", "--platform", platform, reference)
        if code != 0:
            raise ImageError(f"base image {reference} cannot be pulled for {platform} ({line}); check the network")

    def runs_import(self, tar: Path, program: str) -> bool:
        """Whether a container of the files in `tar` runs `program` with exit code 0."""
        imported = self.client.run("import", "--change", f'ENTRYPOINT ["{program}"]', str(tar))
        try:
            return self.client.run(*query(), imported.stdout.strip()).returncode == 0
        finally:
            self.client.run("rmi", imported.stdout.strip())

    def image_size(self, image: str) -> int:
        """Bytes of all layers."""
        return int(self._inspect(image, "{{.Size}}") or 0)

    def layers(self, image: str) -> tuple[tuple[str, int], ...]:
        """(the instruction that made it, bytes) of each layer, the lowest first; () if the engine does not tell."""
        answer = self.client.run(
            "history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", image
        )
        lines = (line.partition("\t") for line in reversed(answer.stdout.splitlines()))
        return tuple((made_by, int(size)) for size, _, made_by in lines if size.isdecimal())

    def build(
        self,
        tree: Path,
        *,
        build_args: Mapping[str, str],
        labels: Mapping[str, str],
        no_cache: bool,
        options: Sequence[str] = (),
    ) -> str:
        """Builds the tree without a tag and without network access. Returns the image's id. Raises ImageError."""
        buildx = self.client.builder == BUILDX
        command = ["buildx", "build", "--load"] if buildx else ["build"]
        command += ["--network", "none", *(["--no-cache"] if no_cache else []), *options]
        command += ["--force-rm"] if self.client.builder == LEGACY else ["--progress", "auto"]
        command += [part for name, value in build_args.items() for part in ("--build-arg", f"{name}={value}")]
        command += [part for name, value in labels.items() for part in ("--label", f"{name}={value}")]
        with tempfile.TemporaryDirectory(prefix="triton-image-factory-") as folder:
            iid_file = Path(folder) / "iid"
            code, line = self.client.watch(*command, "--iidfile", str(iid_file), str(tree))
            image_id = iid_file.read_text().strip() if iid_file.exists() else ""
        if code != 0:
            raise ImageError(f"docker build of {tree} failed ({line}); to reproduce it, run: docker build {tree}")
        if not self.has(image_id):
            raise ImageError(
                f"docker build of {tree} succeeded, but the engine does not have its image {image_id!r}; "
                "select the engine's own builder: docker buildx use default"
            )
        return image_id

    def tag(self, image_id: str, reference: str) -> None:
        """Tags the image; ImageError when the engine refuses."""
        answer = self.client.run("tag", image_id, reference)
        if answer.returncode != 0:
            raise ImageError(f"the image {image_id} cannot be tagged {reference!r} ({last_line(answer.stderr)})")

    def push(self, image_id: str, reference: str, *, seconds: float) -> str:
        """Pushes the image as `reference`, a tag of its own that is removed here afterwards; returns the digest.

        Raises ReleaseError when the push fails, takes longer than `seconds`, or reports another digest than it stores.
        """
        self.tag(image_id, reference)
        try:
            code, line = self.client.watch("push", reference, seconds=seconds)
            known = self._inspect(reference, "{{range .RepoDigests}}{{println .}}{{end}}").split()
        finally:
            self.client.run("rmi", reference)
        if code != 0:
            raise ReleaseError(f"the push of {reference} failed ({line}); correct the cause and push again")
        pushed = re.search(r"digest: (sha256:[0-9a-f]{64})", line)
        if not pushed or not any(each.endswith(f"@{pushed[1]}") for each in known):
            raise ReleaseError(f"the push of {reference} ended without the digest that the engine stored ({line})")
        return pushed[1]

    def is_insecure(self, host: str) -> bool:
        """Whether the engine uses a registry without TLS: one on the loopback, or of its insecure-registries."""
        answer = self.client.run("info", "--format", "{{json .RegistryConfig}}")
        config = json.loads(answer.stdout) if answer.returncode == 0 and answer.stdout.strip() else {}
        named = {name for name, index in (config.get("IndexConfigs") or {}).items() if not index.get("Secure", True)}
        networks = [ipaddress.ip_network(each) for each in config.get("InsecureRegistryCIDRs") or ()]
        try:
            address = ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
        except ValueError:
            return host in named
        return host in named or any(address in network for network in networks)

    def remove(self, image_id: str) -> None:
        """Removes an untagged image. A tagged one stays, because docker would remove the tag with the id."""
        if self._inspect(image_id, "{{len .RepoTags}}") == "0":
            self.client.run("rmi", image_id)

    def run(
        self,
        image_id: str,
        *,
        options: Sequence[str] = (),
        has_api: bool = False,
        ready_within: float = READY_SECONDS,
    ) -> AbstractContextManager[RunningContainer]:
        """Context manager: a ready container of the image, hardened as in production.

        `options` are passed to `docker run`. `has_api`: the image was built with --api. Raises BootProofError with the
        reason from the log if the server exits or is not ready within `ready_within` seconds.
        """
        if self.remote_host:
            progress.note(f"remote engine: the boot proof publishes its ports on {self.remote_host}")
        ports = (HTTP_PORT, GRPC_PORT, *([API_PORT] if has_api else []))
        return running(
            self.client,
            image_id,
            remote_host=self.remote_host,
            options=options,
            ports=ports,
            ready_within=ready_within,
        )

    def root_folder(self) -> Path | None:
        """The folder where a local engine stores its images; None for a remote engine or if unknown."""
        answer = self.client.run("info", "--format", "{{.DockerRootDir}}").stdout.strip()
        return Path(answer) if answer and not self.remote_host and Path(answer).is_dir() else None

    def _inspect(self, image: str, template: str) -> str:
        answer = self.client.run("image", "inspect", "--format", template, image) if image else None
        return answer.stdout.strip() if answer and answer.returncode == 0 else ""

    def run_in(self, image: str, program: str, *arguments: str) -> str:
        """The stdout of a program run in the image, or docker's error."""
        answer = self.client.run(*query(), "--entrypoint", program, image, *arguments, seconds=300)
        return answer.stdout.strip() if answer.returncode == 0 else last_line(answer.stderr)


def parse_os_release(text: str) -> tuple[str, str]:
    """ID and VERSION_ID of an os-release file; empty if not stated."""
    pairs = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z_]+=", line))
    name, version = (" ".join(shlex.split(pairs.get(key, ""))) for key in ("ID", "VERSION_ID"))
    return name, version


@contextlib.contextmanager
def untagged(engine: Engine, image_id: str) -> Iterator[None]:
    """Removes the image if the block fails."""
    try:
        yield
    except BaseException:
        engine.remove(image_id)
        raise
