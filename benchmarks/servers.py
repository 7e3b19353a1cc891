"""Servers for the time of a block: Triton under the image's supervisor or by itself, and any other that speaks HTTP."""

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.supervisor.triton_errors import PORT_LOST
from utils import ROOT
from utils.host import children, environment
from utils.host.environments import SERVING
from utils.triton.address import ServerAddress
from utils.triton.layout import inspect_interpreter, lay_out
from utils.triton.ports import choose_ports
from utils.triton.server import ATTEMPTS, SERVICES, serve

HOST = "127.0.0.1"
READY_WITHIN = 180.0  # seconds: torch and TensorFlow take their time to be imported
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that is ready, `seconds` after its start; `pid`: the process that all its others descend from."""

    pid: int
    address: ServerAddress
    seconds: float


@contextmanager
def triton(repository: Path, log: Path) -> Iterator[Running]:
    """The Triton from PyPI on a model repository."""
    started = time.perf_counter()
    with serve(repository, log=log) as server:
        yield Running(pid=server.pid, address=server.address, seconds=time.perf_counter() - started)


@contextmanager
def supervised(tree: Path, repository: Path, folder: Path) -> Iterator[Running]:
    """What the image of a build tree runs, on the Triton from PyPI: ready when the golden answers were right."""
    python, laid_out = environment.ensure(SERVING), SERVING.folder / "tritonserver"
    lay_out(python, laid_out)
    command = [str(python), "-I", "-S", str(_serving(tree, folder) / "supervise.py")]
    command += [f"{laid_out}/bin/tritonserver", f"--model-repository={repository}", "--disable-auto-complete-config"]
    command += [f"--backend-directory={laid_out}/backends", f"--cache-directory={laid_out}/caches"]
    command += ["--backend-config=python,shm-default-byte-size=1048576"]
    settings = {
        "PATH": f"{python.parent}:{laid_out}/bin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": ":".join(map(str, [laid_out / "lib", *inspect_interpreter(python).library_path()])),
    }
    with ExitStack() as stack:
        yield _on_free_ports(stack, command, settings, folder / "server.log", laid_out)


def _on_free_ports(
    stack: ExitStack, command: Sequence[str], settings: Mapping[str, str], log: Path, cwd: Path
) -> Running:
    """Between our look and the server's bind another program can take a free port: then others are chosen."""
    for attempt in range(1, ATTEMPTS + 1):
        ports = choose_ports(HOST, dict.fromkeys(SERVICES, 0))
        chosen = {f"TRITON_{service.upper()}_PORT": str(port) for service, port in ports.items()}
        address = ServerAddress(http=f"{HOST}:{ports['http']}", grpc=f"{HOST}:{ports['grpc']}")
        process = _process(command, {**settings, **chosen}, log, address, "/v2/health/ready", cwd=cwd)
        try:
            return stack.enter_context(process)
        except RuntimeError as error:
            if PORT_LOST not in str(error) or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _serving(tree: Path, folder: Path) -> Path:
    """The Dockerfile's /opt/serving, of the tree's own files."""
    serving = folder / "serving"
    shutil.rmtree(serving, ignore_errors=True)
    shutil.copytree(tree / "deploy/supervisor", serving / "supervisor")
    for file in ("deploy/supervise.py", "golden.json"):
        shutil.copy(tree / file, serving)
    return serving


@contextmanager
def web(
    command: Sequence[str], log: Path, *, ready: str, settings: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A server on HTTP; "{port}" in both `command` and `settings` becomes a free one; the path `ready` answers 200."""
    port = str(choose_ports(HOST, {"http": 0})["http"])
    address = ServerAddress(http=f"{HOST}:{port}", grpc="")
    placed = [part.replace("{port}", port) for part in command]
    set_to = {name: value.replace("{port}", port) for name, value in (settings or {}).items()}
    with _process(placed, set_to, log, address, ready, cwd=ROOT) as running:
        yield running


@contextmanager
def _process(
    command: Sequence[str], settings: Mapping[str, str], log: Path, address: ServerAddress, ready: str, *, cwd: Path
) -> Iterator[Running]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    started = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            children.with_parent_death_signal(command),
            env={**inherited, **settings},
            stdout=stream,
            stderr=stream,
            cwd=cwd,
        )
    try:
        _wait(f"http://{address.http}{ready}", process, log)
        yield Running(pid=process.pid, address=address, seconds=time.perf_counter() - started)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with OPENER.open(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    raise RuntimeError(f"no answer from {url} (ended, or took {READY_WITHIN:g} s); its log ends with:\n{last}")
