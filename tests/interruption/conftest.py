"""A private copy of the checkout, and processes in it that tests stop and find again by a mark."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import tiny_models
from utils import ROOT
from utils.host import environment
from utils.host.environments import SERVING

HERE = Path(__file__).resolve().parent
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", ".hypothesis", "build", "docs", "benchmarks", "__pycache__"
)
DRIVER = "tests/interruption/paused_build.py"
# Name and tag of every build here. The last good build and the build under test differ in MAX_BATCH_SIZE.
NAME, TAG, GOOD_BATCH, BATCH = "topics", "v1", "4", "8"


def contents(folder: Path) -> dict[str, bytes]:
    """{relative path: content} of every file below `folder`."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} in {seconds:g} s"
        time.sleep(0.02)


@dataclass
class Checkout:
    """A copy of the checkout. Every process started in it has the mark in its environment."""

    root: Path
    state: Path
    model: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    children: list[Any] = field(default_factory=list)  # each with its files, as `outputs`

    @property
    def build(self) -> Path:
        return self.root / "build"

    @property
    def good(self) -> Path:
        return self.build / NAME / TAG

    @property
    def paused(self) -> Path:
        return self.state / f"paused-{self.mark}"

    def command(
        self,
        where: str,
        *,
        model: Path | str | None = None,
        batch: str = BATCH,
        options: Sequence[str] = ("--no-image", "--no-verify"),
    ) -> list[str]:
        model = str(model or self.model)
        return [sys.executable, str(self.root / DRIVER), where, model, model, "-", NAME, TAG, batch, *options]

    def start(self, command: Sequence[str], **variables: str) -> Any:
        """Starts a process in a session of its own, with stdout and stderr in files."""
        rest = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DOCKER_", "PIP_"))}
        outputs = [(self.state / f"{self.mark}.{len(self.children)}.{end}").open("w+") for end in ("out", "err")]
        child: Any = subprocess.Popen(
            command,
            env={
                **rest,
                "PATH": f"{HERE}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(self.root),
                "PYTHONDONTWRITEBYTECODE": "1",
                "ORT_DISABLE_TELEMETRY": "1",
                "XDG_CACHE_HOME": str(self.state / "cache"),
                "CONVERSION": str(self.state / "conversion"),
                "DOCKER_STATE": str(self.state / "docker"),
                "PAUSED": str(self.paused),
                "INTERRUPTION_TEST": self.mark,
                **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
                **variables,
            },
            cwd=self.state,
            stdin=subprocess.DEVNULL,
            stdout=outputs[0],
            stderr=outputs[1],
            start_new_session=True,
        )
        child.outputs = outputs
        self.children.append(child)
        return child

    def end(self, child: Any, seconds: float = 120.0) -> tuple[int, str, str]:
        """(exit code as a shell reports it, stdout, stderr)"""
        code = child.wait(timeout=seconds)
        out, err = (output.seek(0) or output.read() for output in child.outputs)
        return code if code >= 0 else 128 - code, out, err

    def run(self, command: Sequence[str], **variables: str) -> tuple[int, str, str]:
        return self.end(self.start(command, **variables))

    def place_good(self) -> dict[str, bytes]:
        """Restores the last good build and returns its contents."""
        shutil.rmtree(self.build / NAME, ignore_errors=True)
        shutil.copytree(self.state / "good", self.good)
        return contents(self.good)

    def living(self) -> list[int]:
        """Ids of the processes that have the mark."""
        found = []
        for variables in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"INTERRUPTION_TEST={self.mark}".encode() in variables.read_bytes():
                    found.append(int(variables.parent.name))
            except OSError:
                continue
        return found

    def tracked(self) -> dict[str, bytes]:
        """Contents of the files that no build may change."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and path.relative_to(self.root).parts[0] not in ("build", ".venv", ".venv-serving")
        }

    def work(self) -> list[str]:
        return sorted(path.name for path in (self.build / ".work").iterdir())


@pytest.fixture(scope="session")
def _copied(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The copy, with the last good build and a recorded conversion; its environments are links to the real ones."""
    folder = tmp_path_factory.mktemp("interruption")
    root, state = folder / "checkout", folder / "state"
    state.mkdir()
    shutil.copytree(ROOT, root, ignore=LEFT_OUT, symlinks=True)
    (root / ".venv").symlink_to(sys.prefix)
    environment.ensure(SERVING)
    link_serving(root / ".venv-serving")
    checkout = Checkout(root=root, state=state, model=tiny_models.bert(folder / "model"))
    code, _, err = checkout.run(checkout.command("-", batch=GOOD_BATCH))
    assert code == 0, err
    shutil.copytree(checkout.good, state / "good")
    code, _, err = checkout.run(checkout.command("-"))
    assert code == 0, err
    shutil.copytree(checkout.good / "model_repository", state / "expected")
    return checkout


def link_serving(folder: Path) -> None:
    """A serving environment that is complete except for the Triton layout."""
    folder.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / name).symlink_to(SERVING.folder / name)
    shutil.copy(SERVING.stamp, folder)


@pytest.fixture
def checkout(_copied: Checkout) -> Iterator[Checkout]:
    """The copy with its last good build in place; processes that still run at the end are killed."""
    checkout = Checkout(root=_copied.root, state=_copied.state, model=_copied.model)
    shutil.rmtree(checkout.state / "docker", ignore_errors=True)
    shutil.rmtree(checkout.build / ".unfinished", ignore_errors=True)
    checkout.place_good()
    yield checkout
    for child in checkout.children:
        if child.poll() is None:
            child.kill()
            child.wait()
        for output in child.outputs:
            output.close()
    for pid in checkout.living():
        os.kill(pid, signal.SIGKILL)
