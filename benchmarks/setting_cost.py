"""What a setting of the server costs: `python -m benchmarks.setting_cost MODEL_REPOSITORY TRITON_GUARD=never,always`.

The repository is served with each of the two values, and the two are asked in turns; a ratio is the median of those
within one round. Their metrics are read four times a second, as the supervisor of an image does.
"""

import argparse
import os
import statistics
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.contestant import Target
from benchmarks.loads import PROTOCOLS, Load
from benchmarks.measure import ask
from utils.triton.server import serve

CLIENTS = (1, 8, 32)
FIGURES = {"texts_per_second": "texts/s", "p50_ms": "p50, ms", "cpu_ms_per_text": "CPU ms/text"}
SCRAPE_SECONDS = 0.25


@contextmanager
def scraped(address: str) -> Iterator[None]:
    """Reads the metrics again and again for the duration of the block."""
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(SCRAPE_SECONDS):
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
                page.read()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def measure(
    repository: Path, model: str, setting: tuple[str, str, str], loads: Sequence[Load], rounds: int, seconds: float
) -> dict[Load, dict[str, list[list[float]]]]:
    """{load: {figure: [[without, with] of each round]}}. setting: the variable, its value without, its value with."""
    found: dict[Load, dict[str, list[list[float]]]] = {load: {figure: [] for figure in FIGURES} for load in loads}
    name, *choices = setting
    with ExitStack() as stack:
        targets = []
        for choice in choices:
            os.environ[name] = choice
            server = stack.enter_context(serve(repository))
            ways = {
                "http": ("http", server.address.http, model),
                "grpc": ("grpc", server.address.grpc, model),
            }
            targets.append(Target(pid=server.pid, seconds=0.0, ways=ways))
            stack.enter_context(scraped(server.metrics))
        for number in range(rounds):
            for load, figures in found.items():
                order = [0, 1] if number % 2 else [1, 0]
                asked = {place: ask(targets[place], load, seconds) for place in order}
                for figure, values in figures.items():
                    values.append([asked[place][figure] for place in (0, 1)])
    return found


def _setting(text: str) -> tuple[str, str, str]:
    name, _, values = text.partition("=")
    without, _, chosen = values.partition(",")
    if not (name and without and chosen):
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=WITHOUT,WITH")
    return name, without, chosen


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.setting_cost", description=__doc__)
    parser.add_argument("repository", type=Path, help="build/NAME/TAG/model_repository of a model that takes a text")
    parser.add_argument("setting", type=_setting, help="a variable of the server and its two values")
    parser.add_argument("--model", help="name of the served model (default: that in the path, as the build made it)")
    parser.add_argument("--protocol", choices=sorted(PROTOCOLS), default="http", help="(default: %(default)s)")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a measurement (default: %(default)s)")
    options = parser.parse_args()
    repository = options.repository.resolve()
    loads = [Load(texts="mixed", protocol=options.protocol, clients=each, batch=1) for each in options.clients]
    model = options.model or repository.parents[1].name
    found = measure(repository, model, options.setting, loads, options.rounds, options.seconds)
    print(
        f"| clients | figure | {'='.join(options.setting[:2])} | {options.setting[2]} | ratio |\n|---|---|---|---|---|"
    )
    for load, figures in found.items():
        for figure, values in figures.items():
            medians = [statistics.median(column) for column in zip(*values, strict=True)]
            ratio = statistics.median(after / before for before, after in values)
            print(f"| {load.clients} | {FIGURES[figure]} | {medians[0]:.2f} | {medians[1]:.2f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
