"""The whole measurement: limits, each server by itself, then all of them in interleaved rounds."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import padding
from benchmarks.contestant import FP32, LIMITS, Start, UnavailableError, why
from benchmarks.contestants import CONTESTANTS
from benchmarks.loads import LOADS, Load, matches
from benchmarks.measure import Figures, LimitRunner, alone, ask
from benchmarks.repositories import ROOM, build
from benchmarks.sizes import on_top_of_base
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.host.progress import note

MEMORY_LOAD = LOADS["mixed-grpc-32x1"]


@dataclass(frozen=True, kw_only=True)
class WholeRun:
    """`folder` is a temporary one; `seconds`: length of a measurement; `starts`: cold starts of each server."""

    model: Path
    folder: Path
    contestants: Sequence[str]
    loads: Sequence[Load]
    rounds: int
    seconds: float
    starts: int

    def measure(self) -> Iterator[dict[str, Any]]:
        """All figures so far, after each round."""
        tree = build(self.model, "benchmark-fused", "--layout", "fused")
        version = next((tree / "model_repository").glob("*/1"))
        starts, unavailable = self._prepare()
        limits = self._limits(version)
        figures = {
            "seconds": self.seconds,
            "padding": padding.shares(version),
            "limits_tried": {name: runner.tried for name, runner in limits.items()},
            "second_build_seconds": second_build(self.model),
            **self._alone(limits, starts, unavailable),
            "unavailable": unavailable,
        }
        rows: list[Figures] = []
        with contextlib.ExitStack() as stack:
            targets = {name: stack.enter_context(start()) for name, start in starts.items()}
            for number in range(self.rounds):
                for load in self.loads:
                    note(f"round {number + 1} of {self.rounds}: {load}")
                    for name, runner in limits.items():
                        rows.append(_row(name, load, number, runner.run(load, self.seconds)))
                    for name, target in targets.items():
                        if load.protocol in target.ways and matches(load, CONTESTANTS[name].loads):
                            rows.append(_row(name, load, number, ask(target, load, self.seconds)))
                yield {**figures, "rounds": number + 1, "rows": rows}

    def _prepare(self) -> tuple[dict[str, Start], dict[str, str]]:
        """Those that can be started, and why the others cannot."""
        starts, unavailable = {}, {}
        for place, name in enumerate(self.contestants):
            note(f"preparing {name}")
            own = self.folder / str(place)
            own.mkdir()
            try:
                starts[name] = CONTESTANTS[name].prepare(self.model, own)
            except UnavailableError as error:
                unavailable[name] = str(error)
        return starts, unavailable

    def _limits(self, version: Path) -> dict[str, LimitRunner]:
        """The limits that the contestants are held against, their best settings looked for now."""
        command = [sys.executable, "-m", "benchmarks.bare_graphs", str(version / "model.onnx"), str(self.folder)]
        subprocess.run(command, cwd=ROOT, check=True)
        used = {FP32, *(CONTESTANTS[name].limit for name in self.contestants)}
        note("looking for the best arrangement of each limit")
        loads = [*self.loads, MEMORY_LOAD]
        return {
            name: LimitRunner(row, version, self.folder / row.graph, loads, self.seconds / 4)
            for name, row in LIMITS.items()
            if name in used
        }

    def _alone(
        self, limits: dict[str, LimitRunner], starts: dict[str, Start], unavailable: dict[str, str]
    ) -> dict[str, Any]:
        """The figures of each server by itself; others than ours that do not run go from `starts` to `unavailable`."""
        command = [sys.executable, "-m", "benchmarks.agreement", str(self.model)]
        expected = json.loads(subprocess.run(command, cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE).stdout)
        figures = {name: {"rss_mb": runner.run(MEMORY_LOAD, self.seconds)["rss_mb"]} for name, runner in limits.items()}
        for name, start in list(starts.items()):
            note(f"alone: {name}")
            tree = CONTESTANTS[name].tree
            try:
                figures[name] = alone(start, MEMORY_LOAD, expected, self.starts, self.seconds)
            except (RuntimeError, subprocess.SubprocessError) as error:
                if tree:
                    raise
                unavailable[name] = f"does not run here: {why(str(error))}"
                del starts[name]
                continue
            figures[name] |= on_top_of_base(BUILD / tree / "latest") if tree else {}
        return {"alone": figures, "texts_compared": len(expected)}


def _row(contestant: str, load: Load, number: int, figures: Figures) -> Figures:
    return {"contestant": contestant, "load": load.name, "round": number, **figures}


def second_build(model: Path) -> float:
    """Seconds that the same model takes under another tag, up to where `docker build` would begin."""
    command = [str(ROOT / "make_triton_image.sh"), str(model), str(model), "-", "benchmark-fused", "second", str(ROOM)]
    before = time.perf_counter()
    subprocess.run([*command, "--layout", "fused", "--no-image", "--no-verify"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before
