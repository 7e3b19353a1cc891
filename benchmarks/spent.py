"""Where a fused model with ONNX Runtime spends the processor: `python -m benchmarks.spent VERSION_FOLDER`.

In one process, with the folder's own code and no server around it: the parts of an answer, and the graph's operators.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np

from benchmarks.texts import LENGTHS, make_texts

PARTS = ("texts to tokens", "tokens to tensors", "the graph", "its outputs to answers")
PROFILED_RUNS = 20


class Model:
    """What model.py of the folder does between a request and its response."""

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(folder))
        self.settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        self.tokenization = import_module("tokenization")
        self.tokenizer = self.tokenization.load_tokenizer(folder / "tokenizer.json", self.settings, padded=False)
        self.session = import_module("onnxruntime_session").GraphSession(folder / "model.onnx", self.settings)
        self.answering = import_module(self.settings["answering"]).Answering(folder, self.settings)

    def feeds(self, encodings: list[Any]) -> list[dict[str, Any]]:
        """The graph's inputs, batch by batch."""
        types = {"attention_mask": np.int64, **self.session.dtypes}
        batches = self.session.batches([len(each.ids) for each in encodings])
        return [
            self.tokenization.arrays(
                [encodings[place] for place in places], types, {"length": length, **self.settings["padding"]}
            )
            for places, length in batches
        ]

    def answer(self, texts: list[str], now: Callable[[], float] = time.process_time) -> list[float]:
        """Seconds of each of PARTS, by default of the processor."""
        clock = [now()]
        encodings = self.tokenization.tokenize(self.tokenizer, texts)
        clock.append(now())
        feeds = self.feeds(encodings)
        clock.append(now())
        outputs = self.session.run(feeds)
        clock.append(now())
        for each, feed in zip(outputs, feeds, strict=True):
            self.answering(each, feed["attention_mask"])
        clock.append(now())
        return [after - before for before, after in pairwise(clock)]


def parts(model: Model, texts: list[str], window: int, seconds: float) -> dict[str, float]:
    """Processor milliseconds a text, of each part, `window` texts at a time."""
    model.answer(texts[:window])
    used, done, deadline = np.zeros(len(PARTS)), 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        used += model.answer([texts[(done + row) % len(texts)] for row in range(window)])
        done += window
    return dict(zip(PARTS, used / done * 1e3, strict=True))


def operators(model: Model, file: Path, texts: list[str]) -> tuple[Counter[str], Counter[str]]:
    """Microseconds, and calls, of each of the graph's operators in all runs; those around others are left out."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.enable_profiling, options.log_severity_level = 1, True, 3
    feeds = model.feeds(model.tokenization.tokenize(model.tokenizer, texts))
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        for feed in feeds * PROFILED_RUNS:
            session.run(None, {name: feed[name] for name in model.session.dtypes})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    took, calls = Counter[str](), Counter[str]()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = event["args"]["op_name"]
            took[name] += event["dur"]
            calls[name] += 1
    del took["Loop"]
    return took, calls


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spent", description=__doc__)
    parser.add_argument("folder", type=Path, help="model_repository/NAME/1 of a build with --layout fused")
    parser.add_argument("--texts", choices=LENGTHS, default="mixed")
    parser.add_argument("--window", type=int, default=16, help="texts in memory at a time (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="(default: %(default)s)")
    options = parser.parse_args()
    model, texts = Model(options.folder), make_texts(options.texts)
    spent = parts(model, texts, options.window, options.seconds)
    print("| part | CPU ms/text | share |\n|---|---|---|")
    for name, value in spent.items():
        print(f"| {name} | {value:.3f} | {value / sum(spent.values()):.1%} |")
    took, calls = operators(model, options.folder / "model.onnx", texts[: options.window])
    runs = PROFILED_RUNS * options.window
    print("\n| operator | share of the graph | calls a text | microseconds a call |\n|---|---|---|---|")
    for name, value in took.most_common(10):
        print(f"| {name} | {value / took.total():.1%} | {calls[name] / runs:.1f} | {value / calls[name]:.1f} |")


if __name__ == "__main__":
    main()
