"""A list of builds: each is checked first, then runs as a process of its own; a failure does not stop the others."""

import json
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from utils import ROOT
from utils.factory.report import as_text, result_line
from utils.host import children, progress
from utils.host.errors import FactoryError, ListError, Terminated, UsageError
from utils.options.arguments import as_arguments
from utils.options.build_spec import BuildSpec
from utils.options.config_file import Listed

# A build that is terminated ends its own children and removes its files, in seconds.
PATIENCE_SECONDS = 60.0
LONGEST_REASON = 160
ERROR = "error: "


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A checked build of a list."""

    values: dict[str, Any]
    spec: BuildSpec

    @property
    def name(self) -> str:
        """`topics:v1`, which no two builds of a list share."""
        return f"{self.spec.serving.model_name}:{self.spec.output.tag}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a build ended. `result`: its --json object; `error`: the sentence of a failed one."""

    build: Planned
    seconds: float
    exit_code: int
    result: dict[str, Any]
    error: str = ""

    @property
    def as_json(self) -> dict[str, Any]:
        """Name and tag, and the result or the error with its exit code."""
        spec = self.build.spec
        ended = {"error": self.error, "exit_code": self.exit_code} if self.exit_code else self.result
        return {"model_name": spec.serving.model_name, "tag": spec.output.tag, **ended}

    @property
    def line(self) -> str:
        """What the build alone prints on stdout without --json."""
        return as_text(self.result) if self.build.spec.output.dry_run else result_line(self.result)


def plan(builds: Sequence[Listed], check: Callable[[dict[str, Any]], BuildSpec]) -> list[Planned]:
    """All builds, checked before the first one starts; raises what `check` raises, with the build's place before it."""
    planned: list[Planned] = []
    places: dict[str, str] = {}
    for each in builds:
        try:
            build = Planned(values=each.values, spec=check(each.values))
        except FactoryError as error:
            raise type(error)(f"{each.place}: {error}") from error
        output = build.spec.output
        for what, key in (("name and tag", build.name), ("image", output.image)):
            if places.setdefault(f"{what} {key}", each.place) != each.place:
                first = places[f"{what} {key}"].removeprefix("--config ")
                raise UsageError(f"{each.place}: the {what} {key} is that of {first} too; change one of them")
        planned.append(build)
    return planned


def build_all(builds: Sequence[Planned], jobs: int) -> list[Outcome]:
    """Runs the builds, `jobs` at a time. SIGINT and SIGTERM end all of them before they are raised here."""
    running = _Running()
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(running.build, each) for each in builds]
        try:
            return [each.result() for each in waiting]
        except BaseException:
            running.stop()
            raise


class _Running:
    """The processes of the builds. None starts after stop()."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._started: list[subprocess.Popen[str]] = []

    def stop(self) -> None:
        """Ends the processes, with time for their clean-up."""
        self._stopped.set()
        children.terminate(list(self._started), PATIENCE_SECONDS)

    def build(self, build: Planned) -> Outcome:
        """Runs one build; its lines on stderr get its name as prefix."""
        started, error = time.monotonic(), ""
        self._check()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as stdout:
            with children.child_process(_command(build), stdout=stdout.fileno(), stderr=subprocess.PIPE) as child:
                self._started.append(child)
                self._check()
                for line in child.stderr or ():
                    progress.line(f"[{build.name}] {line.rstrip()}")
                    error = line[len(ERROR) :].strip() if line.startswith(ERROR) else error
            stdout.seek(0)
            text = stdout.read()
        code = child.returncode if child.returncode >= 0 else 128 - child.returncode
        if code:
            result, error = {}, error or f"the process of this build ended with exit code {code}"
        else:
            result, error = json.loads(text), ""
        return Outcome(
            build=build, seconds=round(time.monotonic() - started, 1), exit_code=code, result=result, error=error
        )

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Terminated


def _command(build: Planned) -> list[str]:
    module = [sys.executable, str(ROOT / "utils" / "launch.py"), "utils.make_triton_image"]
    return [*module, *as_arguments({**build.values, "json": True})]


def report(outcomes: Sequence[Outcome], *, as_json: bool) -> str:
    """The text for stdout: one JSON object, or the line (the plan with --dry-run) of each build that succeeded."""
    failed = [each for each in outcomes if each.exit_code]
    if as_json:
        return json.dumps({"builds": [each.as_json for each in outcomes], "failed": len(failed)}, ensure_ascii=False)
    return "\n".join(each.line for each in outcomes if not each.exit_code)


def require_all(outcomes: Sequence[Outcome]) -> None:
    """ListError with the exit code of the first failed build, in the order of the list."""
    failed = [each for each in outcomes if each.exit_code]
    if failed:
        names = ", ".join(each.build.name for each in failed)
        raise ListError(f"{len(failed)} of {len(outcomes)} builds failed: {names}", failed[0].exit_code)


def table(outcomes: Sequence[Outcome]) -> str:
    """Name, tag, result, seconds, and the image or the reason, one build a line."""
    rows = [("name", "tag", "result", "seconds", "image or reason")]
    for each in outcomes:
        spec = each.build.spec
        ended = f"exit code {each.exit_code}" if each.exit_code else "done"
        text = textwrap.shorten(each.error, LONGEST_REASON) if each.exit_code else result_line(each.result)
        rows.append((spec.serving.model_name, spec.output.tag, ended, f"{each.seconds:.1f}", text))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
