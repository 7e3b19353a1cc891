"""A way to serve one model: it prepares itself, and then starts as often as it is asked to."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import repositories, servers
from benchmarks.loads import PROTOCOLS
from benchmarks.texts import write_calibration
from utils import ROOT

FP32, INT8, OPENVINO, OPENVINO_BF16 = "limit fp32", "limit int8", "limit OpenVINO", "limit OpenVINO bf16"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A graph of benchmarks.bare_graphs without a server: `what` it is, its engine, and the precision for OpenVINO."""

    what: str
    graph: str
    engine: str = "onnxruntime"
    precision: str = "f32"


LIMITS = {
    FP32: Limit(what="the same graph in one process, by ONNX Runtime", graph="fp32.onnx"),
    INT8: Limit(what="the same, with weights quantized to int8", graph="int8.onnx"),
    OPENVINO: Limit(what="the same graph in one process, by OpenVINO", graph="fp32.onnx", engine="openvino"),
    OPENVINO_BF16: Limit(what="the same in BF16", graph="fp32.onnx", engine="openvino", precision="bf16"),
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A running server: the process that all its others descend from, and how `benchmarks.clients` asks it.

    `seconds`: from its start until it was ready. `beside`: processes that are a part of it, with another parent.
    """

    pid: int
    seconds: float
    ways: dict[str, tuple[str, str, str]]  # {protocol: (kind of benchmarks.clients, address, model)}
    beside: tuple[int, ...] = ()


Start = Callable[[], AbstractContextManager[Target]]


class UnavailableError(Exception):
    """A contestant is not available here; the text is the reason, which the page prints."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One row. `prepare` gets the model's folder and a work folder; UnavailableError if it is not available here.

    `limit`: the row of LIMITS that it is compared with; `loads`: patterns of the names of loads that suit it.
    `tree`: the name of the build it serves, where it is ours.
    """

    name: str
    what: str
    prepare: Callable[[Path, Path], Start]
    limit: str = FP32
    loads: tuple[str, ...] = ("*",)
    tree: str = ""


def ours(
    name: str,
    what: str,
    *options: str,
    limit: str = FP32,
    loads: tuple[str, ...] = ("*",),
    batching: bool = True,
    is_calibrated: bool = False,
) -> Contestant:
    """A row of what is built here with `options`, run as the image runs it."""
    model_name = "-".join(["benchmark", *(value for value in options if not value.startswith("--"))])

    def prepare(model: Path, folder: Path) -> Start:
        calibration = ("--calibration-file", str(write_calibration(folder))) if is_calibrated else ()
        tree = repositories.build(model, model_name, *options, *calibration)
        repository = tree / "model_repository"
        if not batching:
            repository = repositories.unbatched(repository, folder / "repository")
        return partial(start, tree, repository, folder)

    @contextmanager
    def start(tree: Path, repository: Path, folder: Path) -> Iterator[Target]:
        with servers.supervised(tree, repository, folder) as server:
            yield target(server, {protocol: (protocol, model_name) for protocol in PROTOCOLS})

    return Contestant(name=name, what=what, prepare=prepare, limit=limit, loads=loads, tree=model_name)


def target(server: servers.Running, models: dict[str, tuple[str, str]]) -> Target:
    """`models`: {protocol: (kind, model)}."""
    ways = {protocol: (kind, getattr(server.address, protocol), model) for protocol, (kind, model) in models.items()}
    return Target(pid=server.pid, seconds=server.seconds, ways=ways)


def why(text: str) -> str:
    """The last line of a failure, for the page."""
    return (text.strip().splitlines() or ["no reason given"])[-1].replace(str(ROOT), ".")[:300]
