"""Where the time of one client's request goes: `python -m benchmarks.one_client build/NAME/TAG` of a fused model.

The parts of a direct call are measured in this process. A Triton serves the model, and beside it an empty Python model,
whose requests cost what Triton, its exchange with a Python process and the client cost. In rounds, one after the other.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import servers
from benchmarks.contestant import target
from benchmarks.loads import PROTOCOLS, Load
from benchmarks.measure import ask
from benchmarks.spent import PARTS, Model
from benchmarks.texts import make_texts

EMPTY = "empty"
CONFIG = """\
backend: "python"
max_batch_size: 64
input [ { name: "text_input" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "predicts" data_type: TYPE_STRING dims: [ 1 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
dynamic_batching { }
"""
CODE = '''"""Answers each text with itself."""
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        texts = [pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy() for request in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("predicts", each)]) for each in texts]
'''


def beside_empty(repository: Path, folder: Path) -> Path:
    """The models of `repository`, as links, and the empty one."""
    shutil.copytree(repository, folder, copy_function=os.symlink)
    (folder / EMPTY / "1").mkdir(parents=True)
    (folder / EMPTY / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    (folder / EMPTY / "1/model.py").write_text(CODE, encoding="utf-8")
    return folder


def direct(model: Model, texts: Sequence[str], seconds: float) -> dict[str, float]:
    """Median milliseconds of each part of a call with one text, and of the whole call."""
    took: list[list[float]] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        took.append(model.answer([texts[len(took) % len(texts)]], time.perf_counter))
    parts = [statistics.median(column) * 1e3 for column in zip(*took, strict=True)]
    return {**dict(zip(PARTS, parts, strict=True)), "direct": statistics.median(map(sum, took)) * 1e3}


def rounds_of(tree: Path, rounds: int, seconds: float) -> list[dict[str, float]]:
    """The figures of each round, in milliseconds."""
    version, texts = next((tree / "model_repository").glob("*/1")), make_texts("mixed")
    model, name = Model(version), version.parent.name
    loads = {protocol: Load(texts="mixed", protocol=protocol, clients=1, batch=1) for protocol in PROTOCOLS}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        repository = beside_empty(tree / "model_repository", Path(folder, "models"))
        with servers.triton(repository, Path(folder, "log")) as server:
            for _ in range(rounds):
                figures = direct(model, texts, seconds)
                for protocol, load in loads.items():
                    for served in (name, EMPTY):
                        load_target = target(server, {protocol: (protocol, served)})
                        kind = EMPTY if served == EMPTY else "served"
                        figures[f"{kind} {protocol}"] = ask(load_target, load, seconds)["p50_ms"]
                found.append(figures)
    return found


def table(found: Sequence[Mapping[str, float]]) -> str:
    """Medians over the rounds; ratios are the medians of those within a round."""
    median = {name: statistics.median(figures[name] for figures in found) for name in found[0]}
    lines = [f"| | {' | '.join(PROTOCOLS.values())} |", "|---|---|---|"]
    lines += [f"| {part} | {median[part]:.2f} | {median[part]:.2f} |" for part in PARTS]
    empty = [median[f"{EMPTY} {protocol}"] for protocol in PROTOCOLS]
    lines.append(f"| an empty Python model: client, Triton, exchange | {' | '.join(f'{each:.2f}' for each in empty)} |")
    rest = [median[f"served {protocol}"] - median["direct"] - median[f"{EMPTY} {protocol}"] for protocol in PROTOCOLS]
    lines.append(f"| rest | {' | '.join(f'{each:.2f}' for each in rest)} |")
    whole = [median[f"served {protocol}"] for protocol in PROTOCOLS]
    lines.append(f"| **p50 of the request** | {' | '.join(f'{each:.2f}' for each in whole)} |")
    ratios = [
        statistics.median(each[f"served {protocol}"] / each["direct"] for each in found) for protocol in PROTOCOLS
    ]
    lines.append(f"| of the direct call's | {' | '.join(f'{each:.2f}' for each in ratios)} |")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_client", description=__doc__)
    parser.add_argument("tree", type=Path, help="build/NAME/TAG of a build with --layout fused")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a measurement (default: %(default)s)")
    options = parser.parse_args()
    print(table(rounds_of(options.tree.resolve(), options.rounds, options.seconds)))


if __name__ == "__main__":
    main()
