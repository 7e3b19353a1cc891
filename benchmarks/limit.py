"""The limit: the same graph and tokenizer in one process, nobody to talk to, texts in hand, the best batches.

`python -m benchmarks.limit VERSION_FOLDER --seconds S` prints one JSON object for each setting tried.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import onnxruntime

from benchmarks.processes import resident_megabytes
from benchmarks.texts import LENGTHS, make_texts
from utils.components import load_shared

WINDOW = 64  # texts in hand at a time: what 32 busy clients could keep waiting at most, twice
BUDGETS = (256, 512, 1024, 2048)


class Limit:
    """tokenizer.json, settings.json and model.onnx of a fused version folder."""

    def __init__(self, folder: Path, threads: int, *, spinning: bool = True) -> None:
        self.tokenization, self.batches = load_shared("tokenization"), load_shared("length_batches")
        self.settings = json.loads((folder / "settings.json").read_text())
        self.tokenizer = self.tokenization.load_tokenizer(folder / "tokenizer.json", self.settings, padded=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.dtypes = {node.name: "int64" for node in self.session.get_inputs()}

    def answer(self, texts: list[str], token_budget: int) -> int:
        """Tokenizes and runs `texts`; how many."""
        encodings = self.tokenization.tokenize(self.tokenizer, texts)
        for places in self.batches.length_batches([len(each.ids) for each in encodings], token_budget):
            rows = [encodings[place] for place in places]
            self.session.run(None, self.tokenization.arrays(rows, self.dtypes, self.settings["padding"]))
        return len(texts)


def measure(
    limit: Limit, texts: list[str], token_budget: int, seconds: float, *, window: int = WINDOW
) -> dict[str, float]:
    """Texts a second, CPU milliseconds a text and, with a window of 1, the median time of a call."""
    limit.answer(texts[:window], token_budget)
    place = done = 0
    times: list[float] = []
    cpu, started = time.process_time(), time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = time.perf_counter()
        done += limit.answer([texts[(place + row) % len(texts)] for row in range(window)], token_budget)
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
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limit", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--texts", choices=LENGTHS, default="mixed")
    parser.add_argument("--window", type=int, default=WINDOW)
    parser.add_argument("--no-spinning", action="store_true")
    options = parser.parse_args()
    limit = Limit(options.folder, len(os.sched_getaffinity(0)), spinning=not options.no_spinning)
    texts = make_texts(options.texts)
    for budget in BUDGETS if options.window > 1 else BUDGETS[:1]:
        print(
            json.dumps(
                {"token_budget": budget, **measure(limit, texts, budget, options.seconds, window=options.window)}
            )
        )


if __name__ == "__main__":
    main()
