"""`score` beside the load generator: `python -m benchmarks.score build/NAME/TAG/model_repository`.

The same texts, clients and rows in a request on one server (the Triton from PyPI), in turns. The load generator
(benchmarks/clients.py) makes its requests before the clock runs and does not read the answers; `score` reads a CSV
file, makes requests, reads answers and writes a CSV file, synced to disk. Ratios are within a round.
"""

import argparse
import csv
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contestant import Target
from benchmarks.loads import PROTOCOLS, Load
from benchmarks.measure import ask
from benchmarks.texts import make_texts
from utils import ROOT
from utils.triton.server import serve

SUMMARY = re.compile(r"^(\d+) rows in ([\d.]+) s")
CODE = "import sys; sys.path.insert(0, sys.argv.pop(1)); from triton_image_client.score.main import console; console()"


def score(server: str, model: str, load: Load, file: Path, output: Path) -> float:
    """Rows a second, from the first request to the finished file."""
    command = [sys.executable, "-c", CODE, str(ROOT / "clients/python"), "--server", server, "--model", model]
    command += ["--in-flight", str(load.clients), "--batch", str(load.batch), "--overwrite", str(file), str(output)]
    done = subprocess.run(command, check=True, text=True, stderr=subprocess.PIPE)
    found = SUMMARY.search(done.stderr)
    assert found, done.stderr
    return int(found[1]) / float(found[2])


def write(file: Path, load: Load, rows: int) -> None:
    """The texts of the load generator, again and again."""
    texts = make_texts(load.texts)
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text"], *([texts[row % len(texts)]] for row in range(rows))])


def compare(target: Target, load: Load, rounds: int, seconds: float, folder: Path) -> list[tuple[float, float]]:
    """(texts a second of the load generator, of `score`) of each round, in turns."""
    kind, address, model = target.ways[load.protocol]
    file, output = folder / "in.csv", folder / "out.csv"
    speed = ask(target, load, seconds / 2)["texts_per_second"]  # a first one, to warm up
    write(file, load, int(speed * seconds))
    measures = {
        "generator": lambda: float(ask(target, load, seconds)["texts_per_second"]),
        "score": lambda: score(f"{kind}://{address}", model, load, file, output),
    }
    pairs = []
    for number in range(rounds):
        order = sorted(measures, reverse=bool(number % 2))
        rates = {name: measures[name]() for name in order}
        pairs.append((rates["generator"], rates["score"]))
    return pairs


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.score", description=__doc__)
    parser.add_argument("repository", type=Path, help="build/NAME/TAG/model_repository of a model that takes a text")
    parser.add_argument("--protocol", choices=sorted(PROTOCOLS), nargs="+", default=list(PROTOCOLS))
    parser.add_argument("--clients", type=int, default=8, help="(default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="rows in a request (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of a measurement, about (default: %(default)s)")
    options = parser.parse_args()
    repository = options.repository.resolve()
    print("| protocol | load generator, texts/s | score, texts/s | ratio |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name, serve(repository) as server:
        ports = {"http": server.address.http, "grpc": server.address.grpc}
        ways = {each: (each, port, repository.parents[1].name) for each, port in ports.items()}
        target = Target(pid=server.pid, seconds=0.0, ways=ways)
        for protocol in options.protocol:
            load = Load(texts="mixed", protocol=protocol, clients=options.clients, batch=options.batch)
            pairs = compare(target, load, options.rounds, options.seconds, Path(name))
            before, after = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(ours / theirs for theirs, ours in pairs)
            print(f"| {PROTOCOLS[protocol]} | {before:.0f} | {after:.0f} | {ratio:.3f} |", flush=True)


if __name__ == "__main__":
    main()
