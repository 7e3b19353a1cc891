"""One run: every contestant on the same model, texts and machine, in interleaved rounds; ratios within each round.

`benchmarks/run.sh --help` says more. Writes docs/performance.md and its plots, and benchmarks' raw figures as JSON.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contestants import CONTESTANTS, Target, build
from benchmarks.processes import cpu_seconds, resident_megabytes
from benchmarks.report import write_report
from utils import ROOT


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the clients do."""

    texts: str
    protocol: str
    clients: int
    batch: int


LOADS = (
    *(Load(texts="mixed", protocol="grpc", clients=clients, batch=1) for clients in (1, 8, 32)),
    *(Load(texts="mixed", protocol="http", clients=clients, batch=1) for clients in (1, 8, 32)),
    Load(texts="mixed", protocol="grpc", clients=8, batch=8),
    Load(texts="short", protocol="grpc", clients=32, batch=1),
    Load(texts="long", protocol="grpc", clients=32, batch=1),
)


def ask(target: Target, load: Load, seconds: float) -> dict[str, float]:
    """One load on one server: the clients' figures, and what the server's processes spent meanwhile."""
    kind, address, model = target.ways[load.protocol]
    command = [sys.executable, "-m", "benchmarks.load", "--kind", kind, "--address", address, "--model", model]
    command += ["--clients", str(load.clients), "--batch", str(load.batch), "--texts", load.texts]
    with subprocess.Popen(
        [*command, "--seconds", str(seconds)], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as clients:
        assert clients.stdout and clients.stderr
        said = []
        spent: dict[str, float] = {}
        for line in clients.stderr:
            said.append(line)
            if line.strip() in ("started", "stopped"):
                spent[line.strip()] = cpu_seconds(target.pid)
        answer = clients.stdout.read()
    if clients.returncode:
        raise RuntimeError(f"the clients failed: {''.join(said[-5:])}")
    figures: dict[str, float] = json.loads(answer)
    figures["cpu_ms_per_text"] = (spent["stopped"] - spent["started"]) * 1e3 / figures["texts"]
    figures["rss_mb"] = resident_megabytes(target.pid)
    return figures


def limits(repository: Path, texts: str, seconds: float, *, window: int) -> list[dict[str, float]]:
    """Bare ONNX Runtime in a process of its own: one row of figures for each budget tried."""
    folder = next(repository.glob("*/1"))
    command = [sys.executable, "-m", "benchmarks.limit", str(folder), "--texts", texts, "--seconds", str(seconds)]
    done = subprocess.run([*command, "--window", str(window)], cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE)
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def started(names: list[str], model: Path, folder: Path) -> Iterator[tuple[dict[str, Target], dict[str, float]]]:
    """All contestants at once, idle until asked; and the seconds from start to ready of each."""
    with contextlib.ExitStack() as stack:
        targets, seconds = {}, {}
        for name in names:
            start = CONTESTANTS[name].start(model, folder)
            before = time.perf_counter()
            targets[name] = stack.enter_context(start)
            seconds[name] = time.perf_counter() - before
        yield targets, seconds


def run(options: argparse.Namespace) -> dict[str, object]:
    """The figures: {"rows": [{contestant, load, round, figures}], ...}."""
    rows: list[dict[str, object]] = []
    loads = [load for load in LOADS if options.quick is False or load in (LOADS[0], LOADS[2])]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(options.model).resolve()
        for name in options.contestants:
            note(f"building for {name}")
        fused = build(model, "benchmark-fused", "--layout", "fused")
        build(model, "benchmark-ensemble", "--layout", "ensemble")
        with started(options.contestants, model, Path(folder)) as (targets, cold):
            for number in range(options.rounds):
                for load in loads:
                    window = 64 if load.clients > 1 else 1
                    for figures in limits(fused, load.texts, options.seconds, window=window):
                        rows.append(row("limit", load, number, figures))
                    for name, target in targets.items():
                        if load.protocol in target.ways:
                            rows.append(row(name, load, number, ask(target, load, options.seconds)))
                    note(f"round {number + 1}: {load}")
    return {"rows": rows, "cold_start_seconds": cold, "machine": machine(), "command": " ".join(sys.argv[1:])}


def row(contestant: str, load: Load, number: int, figures: dict[str, float]) -> dict[str, object]:
    """One measurement as it is kept."""
    return {"contestant": contestant, "load": asdict(load), "round": number, **figures}


def machine() -> str:
    """The processor, and how many of it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{model or platform.machine()}, {len(os.sched_getaffinity(0))} CPUs"


def note(text: str) -> None:
    """Progress, for the one who waits."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.sh", description=__doc__)
    parser.add_argument("--model", required=True, help="folder of a text classifier, such as examples.topics makes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement (default: %(default)s)")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--quick", action="store_true", help="two loads only")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for performance.md (default: docs)")
    options = parser.parse_args()
    result = run(options)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "performance.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(write_report(result, options.out))


if __name__ == "__main__":
    main()
