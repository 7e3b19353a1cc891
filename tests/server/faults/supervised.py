"""The supervisor of the image around the Triton from PyPI, without a container."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.server.faults.target import family
from utils import ROOT
from utils.host.environments import SERVING
from utils.triton.address import ServerAddress
from utils.triton.layout import inspect_interpreter
from utils.triton.ports import choose_ports
from utils.triton.server import SERVICES, triton_for

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def lay_out_serving(folder: Path, golden: Path) -> Path:
    """The contents of /opt/serving, as in the Dockerfile."""
    folder.mkdir(parents=True)
    for file in ("deploy/supervise.py", "deploy/healthcheck.py"):
        shutil.copy(ROOT / file, folder)
    shutil.copytree(ROOT / "deploy/supervisor", folder / "supervisor")
    shutil.copy(golden, folder)
    return folder


class Supervised:
    """`supervise.py tritonserver ...` in a child process.

    In `flags`, {http}, {grpc} and {metrics} are ports. `before`: a program that becomes it, with its arguments.
    """

    def __init__(
        self,
        repository: Path,
        serving: Path,
        folder: Path,
        *,
        before: Sequence[str] = (),
        flags: Sequence[str] = (),
        **settings: str,
    ) -> None:
        python, triton = triton_for(SERVING)
        self.ports = choose_ports("127.0.0.1", dict.fromkeys(SERVICES, 0))
        self.address = ServerAddress(http=f"127.0.0.1:{self.ports['http']}", grpc=f"127.0.0.1:{self.ports['grpc']}")
        self.serving = serving
        self.environment = {
            **os.environ,
            "PATH": f"{python.parent}:{triton}/bin:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": ":".join(map(str, [triton / "lib", *inspect_interpreter(python).library_path()])),
            "ORT_DISABLE_TELEMETRY": "1",
            **{f"TRITON_{service.upper()}_PORT": str(port) for service, port in self.ports.items()},
            **settings,
        }
        self.log = folder / f"log-{self.ports['http']}"
        command = [*map(str, (*before, python, "-I", "-S", serving / "supervise.py", triton / "bin/tritonserver"))]
        command += [f"--model-repository={repository}", f"--backend-directory={triton}/backends"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, f"--cache-directory={triton}/caches", *(flag.format(**self.ports) for flag in flags)],
                env=self.environment, stdout=log, stderr=log, cwd=triton,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Triton's."""
        return next(pid for pid, name in self.family().items() if name == "tritonserver")

    def family(self) -> dict[int, str]:
        return family(self.process.pid)

    @property
    def guard(self) -> int | None:
        """The process id of the guard, or of its first process; None without."""
        return next(iter(self.guards), None)

    @property
    def guards(self) -> list[int]:
        return guards_of(self.family())

    def stubs(self) -> list[int]:
        return [pid for pid, name in family(self.pid).items() if name.startswith("triton_python")]

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def status(self) -> int:
        """The status of /v2/health/ready; 0 without an answer."""
        try:
            return int(OPENER.open(f"http://{self.address.http}/v2/health/ready", timeout=5).status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait_until_ready(self, seconds: float = 60) -> "Supervised":
        deadline = time.monotonic() + seconds
        while self.status() != 200:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log_text()
            time.sleep(0.05)
        return self

    def is_healthy(self) -> bool:
        python = self.environment["PATH"].partition(":")[0] + "/python"
        check = [python, "-I", "-S", str(self.serving / "healthcheck.py")]
        return subprocess.run(check, env=self.environment, timeout=30).returncode == 0


@contextlib.contextmanager
def supervised(repository: Path, serving: Path, folder: Path, **options: Any) -> Iterator[Supervised]:
    """Kills what still runs at the end: a drain takes seconds, and the tests of a drain end the server themselves."""
    server = Supervised(repository, serving, folder, **options)
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):  # what ends at this moment
            pids = list(server.family()) if server.process.poll() is None else []
            shared = regions(pids)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            for region in shared:
                region.unlink()
        server.process.wait(20)


def guards_of(pids: Iterable[int]) -> list[int]:
    """The processes of the guard among these."""
    return [pid for pid in pids if b"guard.main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def regions(pids: Iterable[int]) -> set[Path]:
    """The shared memory of these stubs."""
    words = {word for pid in pids for word in Path(f"/proc/{pid}/cmdline").read_text().split("\0")}
    return {Path("/dev/shm", path.name) for path in Path("/dev/shm").iterdir() if path.name in words}
