"""Run by a Python that has transformers 5: a small model of each type, converted by the exporter dynamo.

`python -m tests.families.by_dynamo FOLDER TYPE ...` prints JSON lines: the types of each task whose class
transformers 5 lacks, and for each TYPE what became of it. `--write FOLDER TYPE ...` only saves the models.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests import tiny_models
from tests.families.build import make_config
from tests.families.conversion import spec_of
from tests.families.written_by_5 import tokenizer
from utils.convert.conversion import convert_with_reference
from utils.convert.onnx.exported_graph import onnx_session
from utils.host.errors import FactoryError
from utils.sources.supported_types import BY_DYNAMO
from utils.targets.exporters import DYNAMO

# (rows, tokens): a batch of one and a text of one token, which torch.export would make constants of, and long batches.
SHAPES = ((1, 1), (1, 2), (1, 40), (2, 1), (2, 11), (5, 30), (3, 100))
# Ids below are special tokens.
FIRST_ID = 10


def write(model_type: str, folder: Path, **changes: Any) -> Path:
    """A folder as save_pretrained() of transformers 5 writes it, model and tokenizer."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    words = tokenizer()
    config = make_config(model_type, words, **changes)
    model = AutoModelForSequenceClassification.from_config(config).float().eval()
    tiny_models.save(model, words, folder)
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder)  # the class of some types has parts of its own
    return folder


def walked(model_type: str, place: Path) -> dict[str, Any]:
    """The inputs, the largest difference relative to the largest logit, and the seconds; or the error."""
    started = time.process_time()
    try:
        folder = write(model_type, place / model_type)
    except Exception as error:  # a config class with sizes of other names
        return {"unmade": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    found: dict[str, Any] = {}
    for size in (8, 1):
        try:
            spec = spec_of(folder, max_batch_size=size, exporter=DYNAMO)
            converted, reference = convert_with_reference(folder, folder, place / f"{model_type} {size}", spec)
        except FactoryError as error:
            found |= {"code": error.exit_code, "sentence": str(error)}
            continue
        singles = tuple(shape for shape in SHAPES if size > 1 or shape[0] == 1)
        difference = max(
            _sweep(converted.graph.path, reference, singles), float(converted.parity["largest_difference"])
        )
        inputs = [tensor.name for tensor in converted.graph.inputs]
        return {
            **found, "inputs": inputs, "difference": difference, "rows": size,
            "seconds": round(time.process_time() - started, 1),
        }  # fmt: skip
    return found


def _sweep(file: Path, reference: Any, shapes: tuple[tuple[int, int], ...]) -> float:
    """The largest difference of a row in a ragged batch of the graph and the same row alone in PyTorch."""
    import torch

    session, random = onnx_session(file), np.random.default_rng(1)
    config, vocabulary = reference.model.config.get_text_config(), len(reference.tokenizer)
    names, largest = {each.name for each in session.get_inputs()}, 0.0
    for rows, tokens in shapes:
        ids = random.integers(FIRST_ID, vocabulary, (rows, tokens))
        lengths = [max(1, tokens - 7 * row) for row in range(rows)]
        mask = (np.arange(tokens) < np.array(lengths)[:, None]).astype(np.int64)
        ids[np.arange(rows), np.array(lengths) - 1] = config.eos_token_id or FIRST_ID
        ids = np.where(mask == 1, ids, reference.tokenizer.pad_token_id)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": 0 * ids}
        logits = session.run(["logits"], {name: feed[name] for name in names})[0]
        for row, length in enumerate(lengths):
            with torch.no_grad():
                alone = reference.model(
                    **{name: torch.from_numpy(feed[name][row : row + 1, :length]) for name in names}
                ).logits[0]
            scale = max(1.0, float(alone.abs().max()))
            largest = max(largest, float(np.abs(logits[row] - alone.numpy()).max()) / scale)
    return largest


def lacking() -> dict[str, list[str]]:
    """For each task, the types in the table of the exporter that no class of transformers is for."""
    from transformers.models.auto import modeling_auto

    kinds = {"text-classification": "SEQUENCE_CLASSIFICATION", "fill-mask": "MASKED_LM"}
    found = {}
    for task, types in BY_DYNAMO.items():
        kind = kinds.get(task, task.upper().replace("-", "_"))
        mapping = "MODEL_MAPPING" if task == "feature-extraction" else f"MODEL_FOR_{kind}_MAPPING"
        found[task] = [name for name in types if name not in getattr(modeling_auto, f"{mapping}_NAMES")]
    return found


def main(arguments: list[str]) -> None:
    """See the module."""
    if arguments[0] == "--write":
        for each in arguments[2:]:
            write(each, Path(arguments[1]) / each)
        return
    for line in (
        {"lacking": lacking()},
        *({"type": each, **walked(each, Path(arguments[0]))} for each in arguments[1:]),
    ):
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
