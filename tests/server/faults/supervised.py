"""The supervisor of the image around the Triton from PyPI, without a container."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.server.faults.target import family
from utils import ROOT
from utils.host.environments import SERVING
from utils.triton.address import ServerAddress
from utils.triton.layout import inspect_interpreter
from utils.triton.ports import choose_ports
from utils.triton.server import SERVICES, triton_for

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def lay_out_serving(folder, golden):
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

    def __init__(self, repository, serving, folder, *, before=(), flags=(), **settings):
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
        command = [*before, python, "-I", "-S", serving / "supervise.py", triton / "bin/tritonserver"]
        command += [f"--model-repository={repository}", f"--backend-directory={triton}/backends"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, f"--cache-directory={triton}/caches", *(flag.format(**self.ports) for flag in flags)],
                env=self.environment, stdout=log, stderr=log, cwd=triton,
            )  # fmt: skip

    @property
    def pid(self):
        """Triton's."""
        return next(pid for pid, name in self.family().items() if name == "tritonserver")

    def family(self):
        return family(self.process.pid)

    @property
    def guard(self):
        """The process id of the guard, or of its first process; None without."""
        return next(iter(self.guards), None)

    @property
    def guards(self):
        return guards_of(self.family())

    def stubs(self):
        return [pid for pid, name in family(self.pid).items() if name.startswith("triton_python")]

    def log_text(self):
        return self.log.read_text(errors="replace")

    def status(self):
        """The status of /v2/health/ready; 0 without an answer."""
        try:
            return OPENER.open(f"http://{self.address.http}/v2/health/ready", timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait_until_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while self.status() != 200:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log_text()
            time.sleep(0.05)
        return self

    def is_healthy(self):
        check = [self.environment["PATH"].partition(":")[0] + "/python", "-I", "-S", self.serving / "healthcheck.py"]
        return subprocess.run(check, env=self.environment, timeout=30).returncode == 0


@contextlib.contextmanager
def supervised(repository, serving, folder, **options):
    server = Supervised(repository, serving, folder, **options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
            try:
                server.process.wait(20)
            except subprocess.TimeoutExpired:
                for pid in server.family():
                    os.kill(pid, signal.SIGKILL)
                server.process.wait(10)


def guards_of(pids):
    """The processes of the guard among these."""
    return [pid for pid in pids if b"guard.main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def regions(pids):
    """The shared memory of these stubs."""
    words = {word for pid in pids for word in Path(f"/proc/{pid}/cmdline").read_text().split("\0")}
    return {Path("/dev/shm", path.name) for path in Path("/dev/shm").iterdir() if path.name in words}
