"""The limit: a graph and its tokenizer in one process, without a server, texts in memory, the best arrangement.

`python -m benchmarks.limit VERSION_FOLDER --graph FILE` looks for it and prints one JSON object for each setting.
`--setting JSON` measures one setting. With `--engine openvino` it runs in the serving environment.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.processes import resident_megabytes
from benchmarks.texts import LENGTHS, make_texts
from utils.repository.served_code import load_shared

BUDGETS = (256, 512, 1024, 2048)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """`sessions` share the processors; `parallel` runs at a time are spread over them.

    `spinning`: whether idle threads spin (0, 1; ONNX Runtime only). `token_budget`: most tokens of a run, with padding.
    `window`: texts in memory that are sorted by length together. `skip_norm`: whether ONNX Runtime fuses each addition
    before a layer norm into it (0, 1); its operator for that can be slower than the two.
    """

    sessions: int = 1
    parallel: int = 1
    spinning: int = 0
    token_budget: int = BUDGETS[1]
    window: int = 64
    skip_norm: int = 1


def arrangements(threads: int) -> Iterator[Setting]:
    """Sessions, parallel runs and spinning for this many processors."""
    for sessions in (1 << power for power in range(threads.bit_length())):
        for parallel in sorted({sessions, threads}):
            for spinning in (0, 1) if sessions < threads else (0,):
                yield Setting(sessions=sessions, parallel=parallel, spinning=spinning)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """`run`: for each session a function from {input name: array} to the outputs; `dtypes`: {input name: type}."""

    run: list[Any]
    dtypes: dict[str, str]


def open_onnxruntime(graph: Path, setting: Setting, threads: int, _precision: str) -> Opened:
    """Sessions of ONNX Runtime with the same share of the threads each."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads // setting.sessions
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", str(setting.spinning))
    providers = ["CPUExecutionProvider"]
    without = None if setting.skip_norm else ["SkipLayerNormFusion"]
    made = [
        onnxruntime.InferenceSession(str(graph), options, providers=providers, disabled_optimizers=without)
        for _ in range(setting.sessions)
    ]
    return Opened(
        run=[partial(session.run, None) for session in made],
        dtypes=dict.fromkeys((node.name for node in made[0].get_inputs()), "int64"),
    )


def open_openvino(graph: Path, setting: Setting, threads: int, precision: str) -> Opened:
    """A model compiled by OpenVINO with as many streams."""
    import openvino

    core = openvino.Core()
    model = core.read_model(str(graph))
    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": setting.sessions}
    compiled = core.compile_model(model, "CPU", {**hints, "ENABLE_CPU_PINNING": False})
    return Opened(
        run=[lambda feed: compiled.create_infer_request().infer(feed)] * setting.sessions,
        dtypes=dict.fromkeys((port.get_any_name() for port in model.inputs), "int64"),
    )


ENGINES = {"onnxruntime": open_onnxruntime, "openvino": open_openvino}


class Limit:
    """tokenizer.json and settings.json of a fused version folder, and a graph that takes their tokens."""

    def __init__(self, folder: Path, graph: Path, engine: str, precision: str, threads: int) -> None:
        self._graph, self._threads, self._open, self._precision = graph, threads, ENGINES[engine], precision
        self._tokenization, self._batches = load_shared("tokenization"), load_shared("length_batches")
        settings = json.loads((folder / "settings.json").read_text())
        self._padding = settings["padding"]
        self._tokenizer = self._tokenization.load_tokenizer(folder / "tokenizer.json", settings, padded=False)
        self._pool = ThreadPoolExecutor(threads)
        self._arrangement, self._opened = Setting(sessions=0), Opened(run=[], dtypes={})

    def answer(self, texts: Sequence[str], setting: Setting) -> int:
        """Tokenizes and runs `texts`; how many."""
        opened = self._sessions(setting)
        encodings = self._tokenization.tokenize(self._tokenizer, texts)
        batches = self._batches.length_batches([len(each.ids) for each in encodings], setting.token_budget)
        feeds = iter(
            [
                self._tokenization.arrays([encodings[place] for place in places], opened.dtypes, self._padding)
                for places in batches
            ]
        )
        workers = [opened.run[place % setting.sessions] for place in range(setting.parallel)]
        list((self._pool.map if len(workers) > 1 else map)(lambda run: [run(feed) for feed in feeds], workers))
        return len(texts)

    def _sessions(self, setting: Setting) -> Opened:
        """Those of the last arrangement are kept, and no others, so that the memory is that of one."""
        arrangement = Setting(sessions=setting.sessions, spinning=setting.spinning, skip_norm=setting.skip_norm)
        if self._arrangement != arrangement:
            self._opened = Opened(run=[], dtypes={})
            self._opened = self._open(self._graph, setting, self._threads, self._precision)
            self._arrangement = arrangement
        return self._opened


def measure(limit: Limit, texts: list[str], setting: Setting, seconds: float) -> dict[str, float]:
    """Texts a second, CPU milliseconds a text, and the median time of a call with `setting.window` texts."""
    limit.answer(texts[: setting.window], setting)
    place = done = 0
    times: list[float] = []
    cpu, started = time.process_time(), time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = time.perf_counter()
        done += limit.answer([texts[(place + row) % len(texts)] for row in range(setting.window)], setting)
        times.append(time.perf_counter() - before)
        place += setting.window
    elapsed, used = time.perf_counter() - started, time.process_time() - cpu
    return {
        "texts_per_second": done / elapsed,
        "cpu_ms_per_text": used / done * 1e3,
        "p50_ms": sorted(times)[len(times) // 2] * 1e3,
        "rss_mb": resident_megabytes(os.getpid()),
    }


def search(run: Callable[[Setting], float], window: int, threads: int) -> None:
    """Measures settings: the arrangements, then the fusion, then budgets and windows, with the best so far.

    `run` measures one, prints it and returns its texts a second. A single text needs no budget and no window.
    """
    tried: dict[Setting, float] = {}

    def best_of(settings: Iterable[Setting]) -> Setting:
        for setting in settings:
            if setting not in tried:
                tried[setting] = run(setting)
        return max(tried, key=lambda setting: tried[setting])

    best = best_of(replace(each, window=window) for each in arrangements(threads))
    best = best_of([replace(best, skip_norm=0)])
    if window > 1:
        sizes = (window // 2, window, 2 * window)
        best_of(replace(best, token_budget=budget, window=size) for budget in BUDGETS for size in sizes)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limit", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--graph", type=Path, required=True)
    parser.add_argument("--engine", choices=ENGINES, default="onnxruntime")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32", help="of OpenVINO (default: f32)")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each setting (default: %(default)s)")
    parser.add_argument("--texts", choices=LENGTHS, default="mixed")
    parser.add_argument("--window", type=int, default=64, help="texts in memory at a time (default: %(default)s)")
    parser.add_argument("--setting", type=json.loads, metavar="JSON", help="measure only this one")
    options = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    limit = Limit(options.folder, options.graph, options.engine, options.precision, threads)
    texts = make_texts(options.texts)

    def run(setting: Setting) -> float:
        figures = measure(limit, texts, setting, options.seconds)
        print(json.dumps({"setting": asdict(setting), **figures}), flush=True)
        return figures["texts_per_second"]

    if options.setting:
        run(Setting(**options.setting))
    else:
        search(run, options.window, threads)


if __name__ == "__main__":
    main()
