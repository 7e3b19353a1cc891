"""Measures every variant of an embedding model in turn, round after round: `measure RESULTS.csv NAME=REPOSITORY ...`.

Each repository is served as it was built and once more without its `dynamic_batching` lines. Interleaved, so that
whatever else the machine does meets all of them alike.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.environments import LOCUST
from benchmarks.repositories import unbatched
from utils.triton.server import serve

HERE = Path(__file__).resolve().parent
# Locust's names of what is kept -> ours.
COLUMNS = {"Requests/s": "requests_per_second", "50%": "p50_ms", "95%": "p95_ms", "Failure Count": "failures"}


def main() -> None:
    """Writes one line a measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("repositories", nargs="+", metavar="NAME=REPOSITORY")
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, options.results.open("w", newline="") as file:
        variants = dict(_variants(options.repositories, Path(folder)))
        rows = csv.DictWriter(file, ["round", "lengths", "dynamic_batching", "users", "load", *COLUMNS.values()])
        rows.writeheader()
        for number in range(1, options.rounds + 1):
            for (lengths, batching), (model, repository) in variants.items():
                measured = _measure(model, repository, options.users, options.seconds)
                load = f"{os.getloadavg()[0]:.1f}"
                row = {"round": number, "lengths": lengths, "dynamic_batching": batching, "users": options.users}
                rows.writerow({**row, "load": load, **measured})
                file.flush()
                print(f"round {number}, {lengths} length, dynamic batching {batching}: {measured}", file=sys.stderr)


def _variants(repositories: list[str], folder: Path) -> Iterator[tuple[tuple[str, str], tuple[str, Path]]]:
    """((lengths, on or off), (model name, model repository)) of each."""
    for named in repositories:
        name, _, place = named.partition("=")
        built = Path(place).resolve()
        model = next(path.parent.name for path in built.glob("*/config.pbtxt") if "ensemble" in path.read_text())
        yield (name, "on"), (model, built)
        yield (name, "off"), (model, unbatched(built, folder / name))


def _measure(model: str, repository: Path, users: int, seconds: int) -> dict[str, str]:
    """Locust's own figures of one run, after a short run to warm up."""
    with serve(repository) as server, tempfile.TemporaryDirectory() as folder:
        for part, duration in (("warm-up", 3), ("measured", seconds)):
            command = [str(LOCUST.python), "-m", "locust", "--headless", "--only-summary", "--loglevel", "ERROR"]
            command += ["--locustfile", str(HERE / "locustfile.py"), "--host", f"http://{server.address.http}"]
            command += ["--users", str(users), "--spawn-rate", str(users), "--run-time", f"{duration}s"]
            subprocess.run(
                [*command, "--csv", f"{folder}/{part}"],
                env={**os.environ, "EMBEDDING_MODEL": model},
                stdout=subprocess.DEVNULL,
                timeout=duration + 60,
                check=True,
            )
        with Path(folder, "measured_stats.csv").open(newline="") as file:
            total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    return {ours: total[theirs] for theirs, ours in COLUMNS.items()}


if __name__ == "__main__":
    main()
