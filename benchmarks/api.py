"""What the routes of --api cost: `python -m benchmarks.api build/NAME/TAG`, of a model for feature-extraction.

The same texts are asked through Triton's HTTP and through /v1/embeddings, in turns; a ratio is the median of those
within one round.
"""

import argparse
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.contestant import Target
from benchmarks.loads import Load
from benchmarks.measure import ask
from utils.triton.api import serve_api
from utils.triton.server import read_settings, serve

FIGURES = {"texts_per_second": "texts/s", "p50_ms": "p50, ms", "p99_ms": "p99, ms", "cpu_ms_per_text": "CPU ms/text"}
# {a column of the table: the kind of benchmarks.clients}.
BASE, ROUTES = "Triton's HTTP", {"floats": "openai-floats", "base64": "openai-base64"}
CLIENTS = (1, 8)

Figures = Mapping[str, float]


def measure(
    target: Target, clients: Sequence[int], batch: int, rounds: int, seconds: float
) -> dict[int, list[dict[str, Figures]]]:
    """{clients: [{way: its figures} of each round]}."""
    found: dict[int, list[dict[str, Figures]]] = {count: [] for count in clients}
    loads = {way: Load(texts="mixed", protocol=way, clients=1, batch=batch) for way in target.ways}
    for load in loads.values():
        ask(target, load, 1)  # to warm up
    for number in range(rounds):
        order = list(loads) if number % 2 else list(loads)[::-1]
        for count, measured in found.items():
            measured.append({way: ask(target, replace(loads[way], clients=count), seconds) for way in order})
    return found


def api_process() -> int:
    """The API process, a child of this one."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8").split()
    return next(int(pid) for pid in children if b"from api import main" in Path(f"/proc/{pid}/cmdline").read_bytes())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("tree", type=Path, help="build/NAME/TAG of a model for feature-extraction")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="(default: %(default)s)")
    parser.add_argument("--batch", type=int, default=1, help="texts in a request (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a measurement (default: %(default)s)")
    options = parser.parse_args()
    tree = options.tree.resolve()
    limits = replace(read_settings(), api_address="127.0.0.1", api_port=0, api_keys_file="")
    repository = tree / "model_repository"
    with (
        serve(repository) as server,
        serve_api(tree / "api.json", repository, server.address, limits) as address,
    ):
        model = tree.parent.name
        ways = {BASE: ("http-embeddings", address.http, model)}
        ways |= {way: (kind, address.api, model) for way, kind in ROUTES.items()}
        target = Target(pid=server.pid, seconds=server.ready_seconds, ways=ways, beside=(api_process(),))
        found = measure(target, options.clients, options.batch, options.rounds, options.seconds)
    print(f"| clients | figure | {BASE} | {' | '.join(f'{way} | ratio' for way in ROUTES)} |")
    print(f"|---|---|---|{'---|---|' * len(ROUTES)}")
    for clients, measured in found.items():
        for figure, name in FIGURES.items():
            cells = [f"{statistics.median(each[BASE][figure] for each in measured):.2f}"]
            for way in ROUTES:
                cells.append(f"{statistics.median(each[way][figure] for each in measured):.2f}")
                ratio = statistics.median(each[way][figure] / each[BASE][figure] for each in measured)
                cells.append(f"{ratio:.3f}")
            print(f"| {clients} | {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
