"""The docker program that a build runs: which one on PATH, and how it is asked and watched. Standard library only."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.host import children, progress
from utils.host.errors import ImageError

# From this version on, docker builds with BuildKit only through a plugin, which minimal installations lack.
PLUGIN_NEEDED = 23
BUILDX, BUILT_IN, LEGACY = "the buildx plugin", "its own BuildKit", "the legacy builder"
STEP_OUTPUT = re.compile(r"(#\d+) \d+\.\d+ (.*\S)")
STEP_ERROR = re.compile(r"(#\d+) ERROR:")
FAILED_STEP = ("did not complete successfully", "executor failed running", "returned a non-zero code")
BUILDERS_OWN = re.compile(r"Step \d|--->|Removing intermediate container|The command '")
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere", "DOCKER_CONTEXT": "default"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class DockerClient:
    """A docker program and what it builds with (BUILDX, BUILT_IN or LEGACY)."""

    program: Path
    builder: str

    def ask(
        self, *arguments: str, seconds: float = 60, merged: bool = False, apart: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Runs one short command and keeps what it prints; a code of 124 when it does not end within `seconds`.

        `merged` puts both streams into stdout, in order. `apart` keeps a terminal's Ctrl-C from it: for clearing up.
        """
        command = children.with_parent_death_signal([str(self.program), *arguments], signal.SIGTERM)
        try:
            return subprocess.run(
                command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merged else subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                timeout=seconds,
                start_new_session=apart,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", f"no answer in {seconds:g} s")

    def version(self) -> str:
        """The program's own version, like "28.2.2"; empty for one that is no docker.

        `docker version` prints it after it has tried the engine, which may hang: it is given one that is not there.
        """
        done = subprocess.run(
            [str(self.program), "version", "--format", "{{.Client.Version}}"],
            env=self._environment() | NO_ENGINE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=30,
        )
        return done.stdout.strip()

    def watch(self, *arguments: str) -> tuple[int, str]:
        """Runs one long command, shows all it prints on stderr and returns its code and the line that tells most.

        On a terminal docker draws its own bars; then there is nothing to quote. The command ends with this process.
        """
        terminal = sys.stderr.isatty()
        with _child([str(self.program), *arguments], self._environment(), terminal=terminal) as child:
            lines: deque[str] = deque(maxlen=200)
            for line in child.stdout or ():
                sys.stderr.write(line)
                sys.stderr.flush()
                lines.append(line.rstrip())
            code = child.wait()
        return code, telling_line(lines) if not terminal else "see the lines above"

    def _environment(self) -> dict[str, str]:
        buildkit = "0" if self.builder == LEGACY else "1"
        return os.environ | {"DOCKER_BUILDKIT": buildkit, "DOCKER_CLI_HINTS": "false"}


@contextlib.contextmanager
def _child(command: Sequence[str], environment: dict[str, str], *, terminal: bool) -> Iterator[subprocess.Popen[str]]:
    # A group of its own, so that what docker starts (its plugins) ends with it.
    child = subprocess.Popen(
        children.with_parent_death_signal(command, signal.SIGTERM),
        start_new_session=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=2 if terminal else subprocess.PIPE,
        stderr=2 if terminal else subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    try:
        yield child
    finally:
        if child.poll() is None:  # an interrupt: docker cancels the build when its client goes
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        if child.stdout:
            child.stdout.close()


def telling_line(lines: Sequence[str]) -> str:
    """The last line that the failed step printed, else the last of all. BuildKit runs steps side by side."""
    said = [line for raw in lines if (line := COLOUR.sub("", raw).strip())]
    if any(mark in line for line in said[-5:] for mark in FAILED_STEP):
        failed = {match[1] for line in said if (match := STEP_ERROR.match(line))}
        printed = [match for line in said if (match := STEP_OUTPUT.match(line))]
        of_failed = [match[2] for match in printed if match[1] in failed] or [match[2] for match in printed]
        said = of_failed or [line for line in said if not BUILDERS_OWN.match(line)] or said
    return said[-1][:300] if said else "docker says nothing"


def last_line(text: str) -> str:
    """The last line that says something; docker ends many errors with a pointer to its help."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "--help" not in line]
    return lines[-1] if lines else "docker says nothing"


def find_client() -> DockerClient:
    """The first docker on PATH that builds with BuildKit, else the first that builds at all.

    Says on stderr which one is used if it is not the first. Raises ImageError when there is none.
    """
    programs = list(_programs())
    clients = [client for program in programs if (client := _examine(program))]
    if not clients:
        found = f"{programs[0]} does not run" if programs else "there is none on PATH"
        raise ImageError(
            f"a docker client is needed to build an image and {found}; install Docker, "
            "or use --no-image to get the model repository only"
        )
    chosen = next((client for client in clients if client.builder != LEGACY), clients[0])
    if chosen.builder == LEGACY:
        progress.note(f"docker: {chosen.program} has no buildx plugin; the legacy builder is used")
    elif chosen.program != programs[0]:
        progress.note(f"docker: {chosen.program} is used; {programs[0]}, first on PATH, cannot build with BuildKit")
    return chosen


def _programs() -> Iterator[Path]:
    seen = set()
    for folder in os.get_exec_path():
        program = Path(folder or ".", "docker")
        if program.is_file() and os.access(program, os.X_OK) and program.resolve() not in seen:
            seen.add(program.resolve())
            yield program


def _examine(program: Path) -> DockerClient | None:
    probe = DockerClient(program=program, builder=BUILT_IN)
    try:
        if not (number := re.match(r"v?(\d+)\.", probe.version())):
            return None
        if probe.ask("buildx", "version", seconds=30).returncode == 0:
            return DockerClient(program=program, builder=BUILDX)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return DockerClient(program=program, builder=BUILT_IN if int(number[1]) < PLUGIN_NEEDED else LEGACY)
