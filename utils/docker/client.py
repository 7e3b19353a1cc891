"""The docker client: which program on PATH is used, and how its commands run. Standard library only."""

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from utils.host import children, progress
from utils.host.errors import ImageError

# From this version on, docker needs the buildx plugin to build with BuildKit; minimal installations lack it.
PLUGIN_NEEDED = 23
BUILDX, BUILT_IN, LEGACY = "the buildx plugin", "its own BuildKit", "the legacy builder"
STEP_OUTPUT = re.compile(r"(#\d+) \d+\.\d+ (.*\S)")
STEP_ERROR = re.compile(r"(#\d+) ERROR:")
FAILED_STEP = ("did not complete successfully", "executor failed running", "returned a non-zero code")
BUILDER_OUTPUT = re.compile(r"Step \d|--->|Removing intermediate container|The command '")
EMPTY: Mapping[str, str] = {}
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere", "DOCKER_CONTEXT": "default"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class DockerClient:
    """A docker program and its builder: BUILDX, BUILT_IN or LEGACY."""

    program: Path
    builder: str

    def run(
        self, *arguments: str, seconds: float = 60, merged: bool = False, environment: Mapping[str, str] = EMPTY
    ) -> subprocess.CompletedProcess[str]:
        """Runs a short command and captures its output; the exit code is 124 if it takes longer than `seconds`.

        `merged` writes stderr into stdout, in order. `environment` overrides variables.
        """
        stderr = subprocess.STDOUT if merged else subprocess.PIPE
        try:
            with self._start(arguments, subprocess.PIPE, stderr, environment) as child:
                output, errors = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(arguments, 124, "", f"no answer in {seconds:g} s")
        return subprocess.CompletedProcess(arguments, child.returncode, output, errors or "")

    def version(self) -> str:
        """The program's own version, like "28.2.2"; empty for a program that is not docker.

        `docker version` prints it only after it has contacted the engine, which may hang: NO_ENGINE fails at once.
        """
        return self.run("version", "--format", "{{.Client.Version}}", seconds=30, environment=NO_ENGINE).stdout.strip()

    def watch(self, *arguments: str, seconds: float | None = None) -> tuple[int, str]:
        """Runs a long command, copies its output to stderr and returns its exit code and the most relevant line.

        With a time limit the exit code is 124 if it takes longer. On a terminal a command without one draws its own
        progress bars, and no line is returned.
        """
        terminal = sys.stderr.isatty() and seconds is None
        outputs = (2, 2) if terminal else (subprocess.PIPE, subprocess.STDOUT)
        with self._start(arguments, *outputs) as child, children.time_limit(child, seconds) as limit:
            lines: deque[str] = deque(maxlen=200)
            for line in child.stdout or ():
                sys.stderr.write(line)
                sys.stderr.flush()
                lines.append(line.rstrip())
            code = child.wait()
        if limit.is_set():
            return 124, f"not finished in {seconds:g} s"
        return code, telling_line(lines) if not terminal else "see the lines above"

    def _start(
        self, arguments: Sequence[str], stdout: int, stderr: int, environment: Mapping[str, str] = EMPTY
    ) -> AbstractContextManager["subprocess.Popen[str]"]:
        """A child; the end of its session ends its plugins too, and docker cancels a build when its client ends."""
        buildkit = {"DOCKER_BUILDKIT": "0" if self.builder == LEGACY else "1", "DOCKER_CLI_HINTS": "false"}
        buildkit["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"  # theirs know only the steps; an image has those of a release
        return children.child_process(
            [str(self.program), *arguments],
            stdout=stdout,
            stderr=stderr,
            environment={**buildkit, **environment},
            seconds=10,
        )


def telling_line(lines: Sequence[str]) -> str:
    """The last error that the failed step printed, else its last line, else the last line of all.

    BuildKit runs steps in parallel, and mixes the two outputs of a step.
    """
    shown = [line for raw in lines if (line := COLOUR.sub("", raw).strip())]
    if any(mark in line for line in shown[-5:] for mark in FAILED_STEP):
        failed = {match[1] for line in shown if (match := STEP_ERROR.match(line))}
        printed = [match for line in shown if (match := STEP_OUTPUT.match(line))]
        of_failed = [match[2] for match in printed if match[1] in failed] or [match[2] for match in printed]
        errors = [line for line in of_failed if line.upper().startswith("ERROR")]
        shown = errors or of_failed or [line for line in shown if not BUILDER_OUTPUT.match(line)] or shown
    return shown[-1][:300] if shown else "docker printed nothing"


def last_line(text: str) -> str:
    """The last line that is not empty and does not refer to --help, which many errors of docker end with."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "--help" not in line]
    return lines[-1] if lines else "docker printed nothing"


def find_client() -> DockerClient:
    """The first docker on PATH that builds with BuildKit, else the first that builds with the legacy builder.

    Reports on stderr if it is not the first on PATH or has no BuildKit. Raises ImageError if none is found.
    """
    programs = list(_programs())
    clients = [client for program in programs if (client := _examine(program))]
    if not clients:
        found = f"{programs[0]} does not run" if programs else "none is on PATH"
        raise ImageError(
            f"building an image needs a docker client; {found}; install Docker, "
            "or use --no-image to build the model repository only"
        )
    chosen = next((client for client in clients if client.builder != LEGACY), clients[0])
    if chosen.builder == LEGACY:
        progress.note(f"docker: {chosen.program} has no buildx plugin; using the legacy builder")
    elif chosen.program != programs[0]:
        progress.note(f"docker: using {chosen.program}; {programs[0]}, first on PATH, cannot build with BuildKit")
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
        if probe.run("buildx", "version", seconds=30).returncode == 0:
            return DockerClient(program=program, builder=BUILDX)
    except OSError:
        return None
    return DockerClient(program=program, builder=BUILT_IN if int(number[1]) < PLUGIN_NEEDED else LEGACY)
