"""The limit: a graph and its tokenizer in one process, nobody to talk to, texts in hand, the best batches.

`python -m benchmarks.limit VERSION_FOLDER --graph FILE` prints one JSON object for each setting asked for.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import onnxruntime

from benchmarks.processes import resident_megabytes
from benchmarks.texts import LENGTHS, make_texts
from utils.repository.served_code import load_shared

BUDGETS = (256, 512, 1024, 2048)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Tokens a run of the graph takes at most, padding included; runs side by side; do idle threads spin (0, 1)?"""

    token_budget: int
    side_by_side: int
    spinning: int


class Limit:
    """tokenizer.json and settings.json of a fused version folder, and a graph that takes their tokens."""

    def __init__(self, folder: Path, graph: Path, threads: int) -> None:
        self.graph, self.threads = graph, threads
        self.tokenization, self.batches = load_shared("tokenization"), load_shared("length_batches")
        self.settings = json.loads((folder / "settings.json").read_text())
        self.tokenizer = self.tokenization.load_tokenizer(folder / "tokenizer.json", self.settings, padded=False)
        self.pool = ThreadPoolExecutor(threads)
        self.sessions: dict[int, onnxruntime.InferenceSession] = {}

    def session(self, spinning: int) -> onnxruntime.InferenceSession:
        """Made when it is first needed, so that the memory is that of one."""
        if spinning not in self.sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self.threads
            options.log_severity_level = 3
            options.add_session_config_entry("session.intra_op.allow_spinning", str(spinning))
            providers = ["CPUExecutionProvider"]
            self.sessions[spinning] = onnxruntime.InferenceSession(str(self.graph), options, providers=providers)
        return self.sessions[spinning]

    def answer(self, texts: Sequence[str], setting: Setting) -> int:
        """Tokenizes and runs `texts`; how many."""
        encodings = self.tokenization.tokenize(self.tokenizer, texts)
        batches = self.batches.length_batches([len(each.ids) for each in encodings], setting.token_budget)
        session = self.session(setting.spinning)
        dtypes = {node.name: "int64" for node in session.get_inputs()}
        feeds = [
            self.tokenization.arrays([encodings[place] for place in places], dtypes, self.settings["padding"])
            for places in batches
        ]
        list((self.pool.map if setting.side_by_side > 1 else map)(partial(session.run, None), feeds))
        return len(texts)


def measure(limit: Limit, texts: list[str], setting: Setting, seconds: float, window: int) -> dict[str, float]:
    """Texts a second, CPU milliseconds a text, and the median time of a call with `window` texts."""
    limit.answer(texts[:window], setting)
    place = done = 0
    times: list[float] = []
    cpu, started = time.process_time(), time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = time.perf_counter()
        done += limit.answer([texts[(place + row) % len(texts)] for row in range(window)], setting)
        times.append(time.perf_counter() - before)
        place += window
    elapsed, used = time.perf_counter() - started, time.process_time() - cpu
    return {
        "texts_per_second": done / elapsed,
        "cpu_ms_per_text": used / done * 1e3,
        "p50_ms": sorted(times)[len(times) // 2] * 1e3,
        "rss_mb": resident_megabytes(os.getpid()),
    }


def main() -> None:
    """The command line."""
    threads = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limit", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--graph", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each setting (default: %(default)s)")
    parser.add_argument("--texts", choices=LENGTHS, default="mixed")
    parser.add_argument("--window", type=int, default=64, help="texts in hand at a time (default: %(default)s)")
    parser.add_argument("--token-budget", type=int, nargs="+", default=BUDGETS)
    parser.add_argument("--side-by-side", type=int, nargs="+", default=sorted({1, threads}))
    parser.add_argument("--spinning", type=int, nargs="+", choices=(0, 1), default=(0, 1))
    options = parser.parse_args()
    limit = Limit(options.folder, options.graph, threads)
    texts = make_texts(options.texts)
    for budget, side_by_side, spinning in product(options.token_budget, options.side_by_side, options.spinning):
        setting = Setting(token_budget=budget, side_by_side=side_by_side, spinning=spinning)
        print(json.dumps({**asdict(setting), **measure(limit, texts, setting, options.seconds, options.window)}))


if __name__ == "__main__":
    main()
