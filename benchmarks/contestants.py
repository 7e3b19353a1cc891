"""Ways to serve one model: each a row that starts a server and tells where it is, which process, and how to ask it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import documented
from utils import ROOT
from utils.local_triton import serve


@dataclass(frozen=True, kw_only=True)
class Target:
    """A running server: the process that all its others descend from, and how `benchmarks.load` asks it."""

    pid: int
    ways: dict[str, tuple[str, str, str]]  # {"grpc" | "http": (kind, address, model)}


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One row. `start` is given the model's folder and a folder to work in."""

    name: str
    what: str
    start: Callable[[Path, Path], AbstractContextManager[Target]]


def _ours(layout: str, *options: str) -> Callable[[Path, Path], AbstractContextManager[Target]]:
    """Built here with the given options, served without Docker."""

    @contextmanager
    def start(model: Path, folder: Path) -> Iterator[Target]:
        name = f"benchmark-{'-'.join([layout, *(each.strip('-') for each in options)])}"
        repository = build(model, name, "--layout", layout, *options)
        with serve(repository, log=folder / f"{name}.log") as server:
            yield Target(
                pid=server.pid,
                ways={
                    "grpc": ("grpc", server.address.grpc, name),
                    "http": ("http", server.address.http, name),
                },
            )

    return start


def build(model: Path, name: str, *options: str) -> Path:
    """The model repository of a build with room for 64 texts in a batch."""
    command = [str(ROOT / "make_triton_image.sh"), str(model), str(model), "-", name, "latest", "64", "--no-image"]
    done = subprocess.run([*command, *options], check=True, text=True, stdout=subprocess.PIPE)
    return Path(done.stdout.strip())


@contextmanager
def _documented(model: Path, folder: Path) -> Iterator[Target]:
    repository = documented.write(
        model, build(model, "benchmark-ensemble", "--layout", "ensemble"), folder / "documented"
    )
    with serve(repository, log=folder / "documented.log") as server:
        ways = {
            "grpc": ("grpc", server.address.grpc, documented.NAME),
            "http": ("http", server.address.http, documented.NAME),
        }
        yield Target(pid=server.pid, ways=ways)


@contextmanager
def _fixed_padding(model: Path, folder: Path) -> Iterator[Target]:
    repository = build(model, "benchmark-ensemble", "--layout", "ensemble")
    with serve(repository, log=folder / "fixed.log") as server:
        yield Target(pid=server.pid, ways={"grpc": ("tokens", server.address.grpc, f"model_onnx@{model}")})


@contextmanager
def _fastapi(model: Path, folder: Path) -> Iterator[Target]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.fastapi_app:app", "--port", str(port), "--no-access-log"]
    with (folder / "fastapi.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "MODEL": str(model)}, stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{port}/ready", process)
            yield Target(pid=process.pid, ways={"http": ("fastapi", f"127.0.0.1:{port}", "")})
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"{url} was not ready within {seconds:g} s")


CONTESTANTS = {
    row.name: row
    for row in (
        Contestant(name="fused", what="ours, one process", start=_ours("fused")),
        Contestant(name="ensemble", what="ours, three Triton models", start=_ours("ensemble")),
        Contestant(
            name="documented ensemble",
            what="AutoTokenizer a request, padding to its longest text, no dynamic batching",
            start=_documented,
        ),
        Contestant(
            name="fixed padding", what="the client tokenizes and pads every text to 128 tokens", start=_fixed_padding
        ),
        Contestant(name="FastAPI", what="transformers on PyTorch behind a web framework", start=_fastapi),
    )
}
