"""A real registry (Debian's docker-registry) on a loopback port.

    with running_registry(folder) as registry:
        registry.host               "127.0.0.1:41234"
        registry.repository         "127.0.0.1:41234/team/topics"
    with running_registry(folder, password=True) as registry:
        registry.log_in(folder)     the environment with USER's credentials in a docker config of its own

It has no referrers API: clients use the fallback tag.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 30.0
USER, PASSWORD = "releaser", "loopback"
# Of PASSWORD. The registry takes bcrypt only.
_HTPASSWD = f"{USER}:$2b$04$btPXCX//zZvrWeu1BHfWy.oErF5vZYV77TEgFL7K6mJpY4Su/rFuq\n"


@dataclass(frozen=True, kw_only=True)
class LoopbackRegistry:
    """A running registry, its process and the folder with its blobs."""

    host: str
    process: "subprocess.Popen[bytes]"
    storage: Path

    @property
    def repository(self) -> str:
        """A repository in it, without tag."""
        return f"{self.host}/team/topics"

    def tags(self, name: str = "team/topics") -> list[str]:
        """The tags of a repository, read from the registry's storage."""
        folder = self.storage / "docker/registry/v2/repositories" / name / "_manifests/tags"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def blob(self, digest: str) -> Path:
        """The file of a blob or manifest, for tests that damage it."""
        return self.storage / "docker/registry/v2/blobs/sha256" / digest[7:9] / digest[7:] / "data"

    def log_in(self, folder: Path, password: str = PASSWORD) -> dict[str, str]:
        """Writes a docker config with these credentials; the variable that points clients at it."""
        folder.mkdir(parents=True, exist_ok=True)
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: {"auth": auth}}}))
        return {"DOCKER_CONFIG": str(folder)}

    def stop(self) -> None:
        """Ends it in the middle of whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)


@contextlib.contextmanager
def running_registry(folder: Path, *, password: bool = False, port: int = 0) -> Iterator[LoopbackRegistry]:
    """A registry with its blobs below `folder`; with `password`, only USER may read and write."""
    program = shutil.which("docker-registry")
    assert program, "the tests of releases need docker-registry: apt-get install docker-registry skopeo"
    host = f"127.0.0.1:{port or _free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": host, "secret": "loopback"},
    }
    if password:
        (folder / "htpasswd").write_text(_HTPASSWD)
        settings["auth"] = {"htpasswd": {"realm": "loopback", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        command = [program, "serve", str(folder / "config.yml")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        _wait(process, host, folder / "log")
        yield LoopbackRegistry(host=host, process=process, storage=folder / "storage")
    finally:
        process.terminate()
        process.wait(timeout=30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", host: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{host}/v2/", timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code == 401:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"docker-registry does not start: {log.read_text(errors='replace')[-500:]}")
