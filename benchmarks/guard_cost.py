"""What the guard before Triton costs over HTTP: `python -m benchmarks.guard_cost MODEL_REPOSITORY`.

The repository is served twice, with the guard and without it, and the two are asked in turns; a ratio is the median of
those within one round.
"""

import argparse
import os
import statistics
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contestant import Target
from benchmarks.loads import Load
from benchmarks.measure import ask
from utils.triton.server import serve

GUARDS = ("never", "always")
CLIENTS = (1, 8, 32)
FIGURES = {"texts_per_second": "texts/s", "p50_ms": "p50, ms", "cpu_ms_per_text": "CPU ms/text"}


def measure(repository: Path, model: str, rounds: int, seconds: float) -> dict[int, dict[str, list[list[float]]]]:
    """{clients: {figure: [[without, with] of each round]}}"""
    found: dict[int, dict[str, list[list[float]]]] = {
        clients: {figure: [] for figure in FIGURES} for clients in CLIENTS
    }
    with ExitStack() as stack:
        targets = []
        for guard in GUARDS:
            os.environ["TRITON_GUARD"] = guard
            server = stack.enter_context(serve(repository))
            ways = {"http": ("http", server.address.http, model)}
            targets.append(Target(pid=server.pid, seconds=0.0, ways=ways))
        for _ in range(rounds):
            for clients, figures in found.items():
                load = Load(texts="mixed", protocol="http", clients=clients, batch=1)
                pair = [ask(target, load, seconds) for target in targets]
                for figure, values in figures.items():
                    values.append([each[figure] for each in pair])
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard_cost", description=__doc__)
    parser.add_argument("repository", type=Path, help="build/NAME/TAG/model_repository of a model that takes a text")
    parser.add_argument("--model", help="name of the served model (default: that in the path, as the build made it)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a measurement (default: %(default)s)")
    options = parser.parse_args()
    repository = options.repository.resolve()
    found = measure(repository, options.model or repository.parents[1].name, options.rounds, options.seconds)
    print("| clients | figure | without | with | ratio |\n|---|---|---|---|---|")
    for clients, figures in found.items():
        for figure, values in figures.items():
            without, guarded = (statistics.median(column) for column in zip(*values, strict=True))
            ratio = statistics.median(after / before for before, after in values)
            print(f"| {clients} | {FIGURES[figure]} | {without:.2f} | {guarded:.2f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
