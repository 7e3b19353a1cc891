"""Which exporter's graph is faster: `python -m benchmarks.exporters [TYPE ...]` prints a Markdown table.

Each type gets a model of random weights, 6 layers of width 384, converted by both exporters. The graphs run in ONNX
Runtime with one thread, in turn, so that both see the same load of the machine; the time is that of the processor.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.families.build import make_model
from tests.families.conversion import spec_of
from utils.convert.exporters import open_converter
from utils.targets.exporters import DYNAMO, EXPORTERS, OPTIMUM

TYPES = ("bert", "modernbert", "qwen3")
WIDTH, LAYERS, HEADS = 384, 6, 12
SIZES = {
    **dict.fromkeys(("hidden_size", "embedding_size"), WIDTH),
    **dict.fromkeys(("num_attention_heads", "num_key_value_heads"), HEADS),
    "num_hidden_layers": LAYERS,
    "intermediate_size": 4 * WIDTH,
    "head_dim": WIDTH // HEADS,
}
SHAPES = ((1, 16), (1, 128), (8, 64))
REPEATS, FIRST_ID = 40, 10


def main() -> None:
    """Prints a row for each type and shape."""
    print("| type | rows x tokens | optimum, ms | dynamo, ms | dynamo / optimum |\n|---|---|---|---|---|")
    for model_type in sys.argv[1:] or TYPES:
        with tempfile.TemporaryDirectory() as place:
            sessions = _sessions(model_type, Path(place))
            for shape in SHAPES:
                times = _times(sessions, shape)
                figures = f"{times[OPTIMUM]:.1f} | {times[DYNAMO]:.1f} | {times[DYNAMO] / times[OPTIMUM]:.2f}"
                print(f"| `{model_type}` | {shape[0]} x {shape[1]} | {figures} |", flush=True)


def _sessions(model_type: str, place: Path) -> dict[str, Any]:
    known = _fields(model_type)
    folder = make_model(model_type, place / "model", **{name: SIZES[name] for name in SIZES if name in known})
    made = {}
    for exporter in EXPORTERS:
        spec = spec_of(folder, exporter=exporter)
        made[exporter] = _session(open_converter(exporter).convert(folder, folder, place / exporter, spec).graph.path)
    return made


def _fields(model_type: str) -> set[str]:
    """The fields of the type's config."""
    from transformers import CONFIG_MAPPING

    return set(CONFIG_MAPPING[model_type]().to_dict())


def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _times(sessions: dict[str, Any], shape: tuple[int, int]) -> dict[str, float]:
    """Median milliseconds of each exporter's graph."""
    ids = np.random.default_rng(1).integers(FIRST_ID, 100, shape)
    values = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    feeds = {
        name: {each.name: values[each.name] for each in session.get_inputs()} for name, session in sessions.items()
    }
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(REPEATS):
        for name, session in sessions.items():
            started = time.process_time()
            session.run(None, feeds[name])
            times[name].append(1000 * (time.process_time() - started))
    return {name: statistics.median(each) for name, each in times.items()}


if __name__ == "__main__":
    main()
