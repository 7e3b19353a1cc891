"""Forms of an int8 graph against each other: `python -m benchmarks.int8_forms GRAPH` of a fused BERT in fp32.

GRAPH is build/NAME/TAG/model_repository/NAME/1/model.onnx. Each form runs the same texts in one process on one thread,
in turns. The table has the processor time of a text, by itself and among others; how far probabilities drift from
fp32's; and how far a text's probabilities depend on the texts beside it.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.int8_graphs import Batcher, forms, session
from benchmarks.texts import calibration_texts, make_texts
from utils.repository.served_code import load_shared

TEXTS, COMPARED = 192, 400
AMONG = 16  # texts at a time, in runs of up to BUDGET tokens


def sessions(file: Path, calibration: Batcher) -> dict[str, Any]:
    """One for each form; a form that cannot be made is named."""
    import onnx

    made = {}
    for name, form in forms(calibration).items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                graph = form(onnx.load(str(file)), Path(folder))
            except Exception as error:  # the tools raise any type
                print(f"{name}: not made: {error}")
                continue
            made[name] = session(graph.SerializeToString())
    return made


def probabilities(batcher: Batcher, session: Any, at_once: int) -> Any:
    """Softmax of the logits of COMPARED texts, so many at once."""
    rows: dict[int, Any] = {}
    for start in range(0, COMPARED, at_once):
        rows |= batcher.run(session, range(start, min(COMPARED, start + at_once)))
    logits = np.stack([rows[place] for place in range(COMPARED)])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def milliseconds(batcher: Batcher, session: Any, at_once: int, first: int) -> float:
    """Processor time of a text."""
    before = time.process_time()
    for start in range(first, first + TEXTS, at_once):
        batcher.run(session, [place % len(batcher.tokens) for place in range(start, start + at_once)])
    return (time.process_time() - before) / TEXTS * 1e3


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8_forms", description=__doc__)
    parser.add_argument("graph", type=Path)
    parser.add_argument("--rounds", type=int, default=8, help="(default: %(default)s)")
    options = parser.parse_args()
    tokenization = load_shared("tokenization")
    settings = {"max_length": 512, "truncation_side": "right", "padding": None}
    tokenizer = tokenization.load_tokenizer(options.graph.with_name("tokenizer.json"), settings, padded=False)
    inputs = [node.name for node in session(str(options.graph)).get_inputs()]
    batcher, calibration = (
        Batcher(tokens=[each.ids for each in tokenization.tokenize(tokenizer, texts)], inputs=inputs)
        for texts in (make_texts("mixed"), calibration_texts())
    )
    made = sessions(options.graph, calibration)
    took: dict[tuple[str, int], list[float]] = {(name, count): [] for name in made for count in (1, AMONG)}
    for number in range(options.rounds):
        for (name, count), values in took.items():
            values.append(milliseconds(batcher, made[name], count, number * TEXTS))
    expected = probabilities(batcher, made["fp32"], 1)
    print(f"| form | ms, 1 text | ms, {AMONG} texts | drift: median | 95% | largest | same label | by other texts |")
    print("|---|---|---|---|---|---|---|---|")
    for name, each in made.items():
        alone, among = (probabilities(batcher, each, count) for count in (1, COMPARED))
        drift = np.abs(alone - expected).max(axis=1)
        same = (alone.argmax(axis=1) == expected.argmax(axis=1)).mean()
        times = " | ".join(f"{statistics.median(took[name, count]):.2f}" for count in (1, AMONG))
        shares = " | ".join(f"{each:.4f}" for each in (*np.quantile(drift, (0.5, 0.95)), drift.max()))
        print(f"| {name} | {times} | {shares} | {same:.2%} | {np.abs(alone - among).max():.4f} |")


if __name__ == "__main__":
    main()
