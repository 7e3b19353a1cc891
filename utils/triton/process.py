"""A running tritonserver: its process group, its log, its shared memory. Standard library only."""

import contextlib
import math
import os
import signal
import subprocess
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, BinaryIO

from deploy.supervisor.guard import Place
from deploy.supervisor.triton_errors import NO_GPU, PORT_LOST, REPEATED, STACK, STARTED, USAGE
from utils.host.children import with_parent_death_signal
from utils.host.errors import BootProofError
from utils.triton.address import ServerAddress
from utils.triton.layout import Interpreter

# Seconds that Triton waits for clients with an open connection without a request; then it is killed.
EXIT_SECONDS = 5
_START = """
import os, sys
guard_words = int(sys.argv[1])
guard, triton = sys.argv[2:2 + guard_words], sys.argv[2 + guard_words:]
if guard:  # in the same group, and with the listening socket as its standard input
    os.spawnv(os.P_NOWAIT, guard[0], guard)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.execv(triton[0], triton)
"""


class ServerLog:
    """Reads the server's output, keeps its last lines, and copies it to a stream."""

    def __init__(self, stream: IO[bytes], copy: BinaryIO | None) -> None:
        self._lines: deque[str] = deque(maxlen=20_000)
        self._stream = stream
        self._copy = copy
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            self._lines.append(line.decode(errors="replace"))
            if self._copy:
                with contextlib.suppress(OSError, ValueError):  # a closed terminal does not stop the server
                    self._copy.write(line)
                    self._copy.flush()

    def close(self) -> None:
        """To be called after all writers have ended."""
        self._thread.join(timeout=2)
        if not self._thread.is_alive():
            self._stream.close()

    def text(self) -> str:
        """All lines kept."""
        return "".join(self._lines.copy())

    def reason(self) -> str:
        """The error lines, else the last lines: Triton writes its tables after the reason for its end."""
        lines = self.text().splitlines()
        if any(line.startswith(USAGE) for line in lines):  # an unknown flag: the reason is the last line
            return next(line for line in reversed(lines) if line.strip())
        errors = [line for line in lines if line[:2] in {"E0", "E1"} or "error" in line[:20].lower()]
        errors = [line for line in errors if not any(noise in line for noise in (*NO_GPU, REPEATED))]
        return "\n".join(line.partition(STACK)[0] for line in errors[-12:] or lines[-12:])


class LocalServer:
    """A running tritonserver in its own process group; it ends with the thread that started it."""

    def __init__(
        self,
        command: list[str],
        *,
        triton: Path,
        interpreter: Interpreter,
        host: str,
        ports: Mapping[str, int],
        log: BinaryIO | None,
        place: Place | None = None,
    ) -> None:
        self._region = f"triton_{uuid.uuid4().hex}_"
        self._started, self._ready = time.time(), math.inf
        command = [*command, f"--backend-config=python,shm-region-prefix-name={self._region}"]
        self._place = place  # of the guard, if there is one
        guard = place.command(str(interpreter.python)) if place else []
        start = [str(interpreter.python), "-I", "-S", "-c", _START, str(len(guard)), *guard, *command]
        self._process = subprocess.Popen(
            # The stubs notice within a second that their server is gone, and clear their shared memory.
            with_parent_death_signal(start),
            env=_environment(interpreter, triton),
            stdin=place.listening.fileno() if place else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=triton,  # the stubs put their cwd on sys.path
            start_new_session=True,
        )
        if place:
            place.listening.close()
        assert self._process.stdout is not None
        self._log = ServerLog(self._process.stdout, log)
        near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        near = f"[{near}]" if ":" in near else near
        self.pid = self._process.pid
        self.address = ServerAddress(http=f"{near}:{ports['http']}", grpc=f"{near}:{ports['grpc']}")
        self.metrics = f"{near}:{ports['metrics']}"

    @property
    def ready_seconds(self) -> float:
        """From its start until it was ready."""
        return self._ready - self._started

    def log_text(self) -> str:
        """The last 20,000 lines of the server and its stubs."""
        return self._log.text()

    def wait(self) -> None:
        """Returns when the server has ended."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def wait_until_ready(self, seconds: float) -> None:
        """Raises BootProofError with the reason from the log when the server ends or is not ready in time."""
        deadline = time.monotonic() + seconds
        while not self._is_ready():
            if self._has_ended():
                self._end_group()
                raise BootProofError(f"Triton did not start; its log says:\n{self._log.reason()}")
            if time.monotonic() > deadline:
                raise BootProofError(f"Triton was not ready in {seconds:g} s; its log says:\n{self._log.reason()}")
            time.sleep(0.05)
        self._ready = time.time()

    def drain(self) -> None:
        """SIGTERM and a limited wait: requests in progress are answered. Without any, Triton needs about 3 seconds."""
        deadline = time.monotonic() + EXIT_SECONDS + 5
        if not self._has_ended():
            os.kill(self.pid, signal.SIGTERM)  # Popen.terminate() would reap a server that has ended
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(0.02)

    def stop(self) -> None:
        """SIGKILL. Removes what the server would remove when it drains: shared memory, and an empty folder."""
        self._end_group()
        # The Python backend makes the folder when it is loaded. It is for packed environments; models here have none.
        for folder in Path("/tmp").glob("python_env_??????"):
            with contextlib.suppress(OSError):  # not empty, or of another user
                if self._started - 1 <= folder.stat().st_ctime <= self._ready:
                    folder.rmdir()
        for region in Path("/dev/shm").glob(f"{self._region}*"):
            region.unlink(missing_ok=True)

    def _is_ready(self) -> bool:
        # The log is checked, too: on a port lost to another server, that server would answer.
        if not all(line in self.log_text() for line in STARTED):
            return False
        if not self.address.is_ready(timeout=5):
            return False
        time.sleep(0.05)  # the last service logs "Started" a few milliseconds before it finds its port taken
        return PORT_LOST not in self.log_text() and not self._has_ended()

    def _has_ended(self) -> bool:
        """Checks without reaping, so that the process id and the group id stay reserved."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _end_group(self) -> None:
        if self._process.returncode is not None:
            return
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + 2
        while _runs(self.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        self._log.close()


def help_text(triton: Path, interpreter: Interpreter) -> str:
    """The output of `tritonserver --help`, with the flags of this release."""
    command = [str(triton / "bin/tritonserver"), "--help"]
    environment = _environment(interpreter, triton)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def _runs(group: int) -> bool:
    """True while the group has a process that is not a zombie: in some containers init does not reap orphans."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False


def _environment(interpreter: Interpreter, triton: Path) -> dict[str, str]:
    """The caller's environment without its Python settings: the stubs must use only the serving environment.

    The stubs of this Triton run in isolated mode, which ignores PYTHON* and the locale; other stubs do not.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for name in ("VIRTUAL_ENV", "TRITON_ADMIN_KEY", "TRITON_ADMIN_KEY_FILE"):
        kept.pop(name, None)
    libraries = [triton / "lib", *interpreter.library_path()]
    return kept | {
        "PATH": f"{interpreter.python.parent}:{kept.get('PATH', os.defpath)}",
        "LD_LIBRARY_PATH": ":".join([*map(str, libraries), *filter(None, [kept.get("LD_LIBRARY_PATH")])]),
        "LC_ALL": "C.UTF-8",
        "PYTHONIOENCODING": "utf-8",
        "ORT_DISABLE_TELEMETRY": "1",
    }
