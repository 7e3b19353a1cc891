"""What an idle time costs the next text: `python -m benchmarks.pauses build/NAME/TAG` of a fused model (ONNX Runtime).

In one process, without a server: the graph with one text, after pauses, with one thread, with a thread for each CPU
that the scheduler places, and with one that stays on its CPU.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.spent import Model
from benchmarks.texts import make_texts

PAUSES = (0.0, 0.002, 0.005, 0.02, 0.1)
FEWEST = 20  # runs after a long pause


def milliseconds(run: Callable[[Any], Any], feeds: Sequence[Mapping[str, Any]], pause: float, seconds: float) -> float:
    """The median of runs with one text, each after `pause` seconds without work."""
    took: list[float] = []
    deadline = time.monotonic() + max(seconds, FEWEST * pause)
    while time.monotonic() < deadline:
        feed = feeds[len(took) % len(feeds)]
        if pause:
            time.sleep(pause)
        started = time.perf_counter()
        run(feed)
        took.append(time.perf_counter() - started)
    return statistics.median(took) * 1e3


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pauses", description=__doc__)
    parser.add_argument("tree", type=Path, help="build/NAME/TAG of a build with --layout fused")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.7, help="of a measurement (default: %(default)s)")
    options = parser.parse_args()
    version = next((options.tree.resolve() / "model_repository").glob("*/1"))
    model, engine = Model(version), import_module("onnxruntime_session")
    cpus = engine.own_cpus(engine.whole().cpus)
    if len(cpus) < 2:
        parser.error("the threads stay on their CPUs only where a process may use two CPUs or more, without a quota")
    made = [model.feeds(model.tokenization.tokenize(model.tokenizer, [text]))[0] for text in make_texts("mixed")]
    feeds = [{name: feed[name] for name in model.session.dtypes} for feed in made]
    file, spin = version / "model.onnx", engine.SPIN_MICROSECONDS
    sessions = {
        "1 thread": engine.open_session(file, 1),
        "a thread for each CPU": engine.open_session(file, len(cpus), spin),
        "each on its CPU": engine.open_session(file, len(cpus), spin, pinned_to=cpus[1:]),
    }
    print(f"| pause, ms | {' | '.join(sessions)} |\n|---|{'---|' * len(sessions)}")
    for pause in PAUSES:
        rounds = [
            [milliseconds(partial(session.run, None), feeds, pause, options.seconds) for session in sessions.values()]
            for _ in range(options.rounds)
        ]
        medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
        print(f"| {pause * 1e3:g} | {' | '.join(f'{each:.2f}' for each in medians)} |")


if __name__ == "__main__":
    main()
