"""Single measurements: a load on a server, a server that is alone on the machine, the limit."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.agreement import agreement
from benchmarks.asking import KINDS
from benchmarks.contestant import Limit, Start, Target
from benchmarks.loads import Load
from benchmarks.processes import cpu_seconds, resident_megabytes
from benchmarks.texts import make_texts
from utils import ROOT
from utils.host import environment
from utils.host.environments import SERVING

IDLE_SECONDS = 2.0
AT_ONCE = 8  # texts in a request that asks for labels

AS_GOOD = 0.98
Figures = dict[str, Any]


def ask(target: Target, load: Load, seconds: float) -> Figures:
    """One load on one server: the clients' figures, and what the server's processes spent meanwhile."""
    kind, address, model = target.ways[load.protocol]
    command = ["benchmarks.clients", "--kind", kind, "--address", address, "--model", model, "--texts", load.texts]
    command += ["--clients", str(load.clients), "--batch", str(load.batch), "--seconds", str(seconds)]
    with subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as clients:
        assert clients.stdout and clients.stderr
        log: list[str] = []
        spent: dict[str, tuple[float, float]] = {}
        for line in clients.stderr:
            log.append(line)
            if line.strip() in ("started", "stopped"):
                server = sum(map(cpu_seconds, (target.pid, *target.beside)))
                spent[line.strip()] = server, cpu_seconds(clients.pid)
        answer = clients.stdout.read()
    if clients.returncode:
        raise RuntimeError(f"the clients failed: {''.join(log[-5:])}")
    figures: Figures = json.loads(answer)
    each = [(last - first) * 1e3 / figures["texts"] for first, last in zip(*spent.values(), strict=True)]
    return {**figures, **dict(zip(("cpu_ms_per_text", "clients_cpu_ms_per_text"), each, strict=True))}


def alone(start: Start, load: Load, expected: list[dict[str, float]], starts: int, seconds: float) -> Figures:
    """Seconds from start to ready, and, of the last start, its labels, its memory after `load`, its CPU when idle.

    No other server runs meanwhile: memory that several would share counts in full. `expected`: PyTorch's probabilities.
    """
    cold = []
    for number in range(starts):
        with start() as target:
            cold.append(target.seconds)
            if number == starts - 1:
                answered = labels(target, make_texts("mixed")[: len(expected)])
                protocol = load.protocol if load.protocol in target.ways else next(iter(target.ways))
                ask(target, Load(texts=load.texts, protocol=protocol, clients=load.clients, batch=1), seconds)
                figures = {
                    "rss_mb": resident_megabytes(target.pid),
                    "idle_cpu_percent": idle_cpu_percent(target),
                    **agreement(expected, answered),
                }
    return {"cold_start_seconds": statistics.median(cold), "cold_starts": cold, **figures}


def labels(target: Target, texts: Sequence[str]) -> list[str]:
    """What the server says of `texts`."""
    kind, address, model = next(iter(target.ways.values()))
    way = KINDS[kind](address, model)
    groups = [list(texts[place : place + AT_ONCE]) for place in range(0, len(texts), AT_ONCE)]
    with way.connected() as send:
        return [label for group in groups for label in way.labels(send(way.body(group)))]


def idle_cpu_percent(target: Target) -> float:
    """Of one CPU, while nobody asks."""
    time.sleep(0.5)
    before = cpu_seconds(target.pid)
    time.sleep(IDLE_SECONDS)
    return (cpu_seconds(target.pid) - before) / IDLE_SECONDS * 100


class LimitRunner:
    """The graph in a process of its own each time. `tried`: {kind of texts, window: the figures of each setting}."""

    def __init__(self, row: Limit, folder: Path, graph: Path, loads: Sequence[Load], seconds: float) -> None:
        python = environment.ensure(SERVING) if row.engine == "openvino" else Path(sys.executable)
        self._command = [str(python), "-m", "benchmarks.limit", str(folder), "--graph", str(graph)]
        self._command += ["--engine", row.engine, "--precision", row.precision]
        self.tried: dict[str, list[Figures]] = {}
        for load in loads:
            if _asked(load) not in self.tried:
                self.tried[_asked(load)] = self._run(load, seconds)

    def run(self, load: Load, seconds: float) -> Figures:
        """The figures of one measurement, with what was best for these texts and this window."""
        setting = best(self.tried[_asked(load)])["setting"]
        return self._run(load, seconds, "--setting", json.dumps(setting))[0]

    def _run(self, load: Load, seconds: float, *options: str) -> list[Figures]:
        command = [*self._command, "--texts", load.texts, "--window", str(load.window), "--seconds", str(seconds)]
        done = subprocess.run([*command, *options], cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE)
        return [json.loads(line) for line in done.stdout.splitlines()]


def _asked(load: Load) -> str:
    return f"{load.texts} texts, {load.window} in memory"


def best(tried: Sequence[Figures]) -> Figures:
    """The fastest; where others are as good as that, the one that spends least on it."""
    fastest = max(figures["texts_per_second"] for figures in tried)
    near = [figures for figures in tried if figures["texts_per_second"] >= AS_GOOD * fastest]
    return min(near, key=lambda figures: figures["cpu_ms_per_text"])
