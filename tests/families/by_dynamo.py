"""Run by a Python that has transformers 5: a small model of each type, converted by the exporter dynamo.

`python -m tests.families.by_dynamo FOLDER TASK:TYPE ...` prints JSON lines: the types of each task in transformers 5,
and for each TASK:TYPE what became of it. `all` stands for every type with a head for text classification; in the other
tasks such a type differs by its head alone, and the model with that head only runs in PyTorch. Types without that head
are converted with another one. `--write FOLDER CLASS TYPE [CHANGES]` only saves a model of an auto class, with CHANGES
(JSON) to its config.
"""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests import tiny_models
from tests.families import types_of_5
from tests.families.build import make_config
from tests.families.conversion import spec_of
from tests.families.written_by_5 import tokenizer
from utils.convert.conversion import convert_with_reference
from utils.convert.onnx.exported_graph import onnx_session
from utils.host.errors import FactoryError, ParityError
from utils.targets.exporters import DYNAMO

CLASSIFICATION = "text-classification"
# (rows, tokens): a batch of one and a text of one token, which torch.export would make constants of, and long batches.
SHAPES = ((1, 1), (1, 2), (1, 40), (2, 1), (2, 11), (5, 30), (3, 100))
# Ids below are special tokens.
FIRST_ID = 10


def write(model_type: str, folder: Path, auto_class: str, **changes: Any) -> Path:
    """A folder as save_pretrained() of transformers 5 writes it, model and tokenizer."""
    import transformers

    words = tokenizer()
    tiny_models.save(_made(model_type, words, auto_class, **changes), words, folder)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)  # some classes have parts of their own
    return folder


def _made(model_type: str, words: Any, auto_class: str, **changes: Any) -> Any:
    import transformers

    config = make_config(model_type, words, **changes)
    return getattr(transformers, auto_class).from_config(config).float().eval()


def walked(task: str, model_type: str, place: Path) -> dict[str, Any]:
    """The inputs, the largest difference relative to the largest output, and the seconds; or the error.

    `rows`: 1 for a model that is served with MAX_BATCH_SIZE 1 only.
    """
    if more := types_of_5.more_than_text(task, model_type):
        return {"refused": more}
    started = time.process_time()
    try:
        folder = write(model_type, place / model_type, types_of_5.TASKS[task].auto_class)
        found = _converted(task, folder, place)
    except Exception as error:  # of torch or transformers; a config class with sizes of other names
        return _refused(f"{type(error).__name__}: {error}")
    return {**found, "seconds": round(time.process_time() - started, 1)}


def with_head(task: str, model_type: str) -> dict[str, Any]:
    """{} for a model with the task's head that gives its outputs for each token of a batch; else the error."""
    import torch

    if more := types_of_5.more_than_text(task, model_type):
        return {"refused": more}
    ids = torch.arange(FIRST_ID, FIRST_ID + 40).reshape(2, 20)
    try:
        model = _made(model_type, tokenizer(), types_of_5.TASKS[task].auto_class)
        with torch.no_grad():
            outputs = model(input_ids=ids, attention_mask=torch.ones_like(ids))
        shapes = {name: tuple(getattr(outputs, name).shape[:2]) for name in types_of_5.TASKS[task].outputs}
    except Exception as error:
        return _refused(f"{type(error).__name__}: {error}")
    return {} if {*shapes.values()} == {(2, 20)} else _refused(f"its outputs {shapes} are not those of 20 tokens")


def _converted(task: str, folder: Path, place: Path) -> dict[str, Any]:
    for size in (8, 1):
        try:
            spec = spec_of(folder, max_batch_size=size, exporter=DYNAMO, task=types_of_5.row(task))
            converted, reference = convert_with_reference(folder, folder, place / f"out {size}", spec)
        except ParityError as error:
            if size > 1 and "each text alone agrees" in str(error):
                continue
            return _refused(str(error))
        except FactoryError as error:
            return _refused(str(error))
        singles = tuple(shape for shape in SHAPES if size > 1 or shape[0] == 1)
        measured = float(converted.parity["largest_difference"])
        difference = max(_sweep(converted.graph.path, reference, singles, task), measured)
        inputs = [tensor.name for tensor in converted.graph.inputs]
        return {"inputs": inputs, "difference": difference, "rows": size}
    raise AssertionError("one row is never compared with others")


def _refused(error: str) -> dict[str, Any]:
    sentence = " ".join(error.split())
    return {"refused": types_of_5.reason(sentence), "error": sentence[:700]}


def _sweep(file: Path, reference: Any, shapes: Sequence[tuple[int, int]], task: str) -> float:
    """The largest difference of a row in a ragged batch of the graph and the same row alone in PyTorch."""
    session, random = onnx_session(file), np.random.default_rng(1)
    inputs, outputs = ([each.name for each in those()] for those in (session.get_inputs, session.get_outputs))
    largest = 0.0
    for rows, tokens in shapes:
        lengths = [max(1, tokens - 7 * row) for row in range(rows)]
        feed = {name: array for name, array in _batch(reference, lengths, random).items() if name in inputs}
        together = dict(zip(outputs, session.run(outputs, feed), strict=True))
        for row, length in enumerate(lengths):
            alone = _alone(reference.model, {name: each[row : row + 1, :length] for name, each in feed.items()})
            for name in outputs:
                right = getattr(alone, name)[0].numpy()
                answer = together[name][row] if task == CLASSIFICATION else together[name][row][:length]
                largest = max(largest, float(np.abs(answer - right).max()) / max(1.0, float(np.abs(right).max())))
    return largest


def _batch(reference: Any, lengths: list[int], random: Any) -> dict[str, np.ndarray]:
    """Random tokens that end with the end token, padded on the right, as an image pads; the second half has type 1."""
    words, rows, tokens = reference.tokenizer, len(lengths), max(lengths)
    ids = random.integers(FIRST_ID, len(words), (rows, tokens))
    mask = (np.arange(tokens) < np.array(lengths)[:, None]).astype(np.int64)
    ids[np.arange(rows), np.array(lengths) - 1] = words.eos_token_id
    typed = (getattr(reference.model.config, "type_vocab_size", None) or 0) > 1
    types = np.where(np.arange(tokens) * 2 >= np.array(lengths)[:, None], int(typed), 0) * mask
    return {"input_ids": np.where(mask == 1, ids, words.pad_token_id), "attention_mask": mask, "token_type_ids": types}


def _alone(model: Any, arrays: dict[str, np.ndarray]) -> Any:
    import torch

    with torch.no_grad():
        return model(**{name: torch.from_numpy(np.ascontiguousarray(each)) for name, each in arrays.items()})


def main(arguments: list[str]) -> None:
    """See the module."""
    if arguments[0] == "--write":
        folder, auto_class, model_type, *changes = arguments[1:]
        write(model_type, Path(folder), auto_class, **(json.loads(changes[0]) if changes else {}))
        return
    place, every = Path(arguments[0]), types_of_5.every()
    types_of_5.allow_every_type(every)
    _print({"every": every})
    chosen = [tuple(each.split(":")) for each in arguments[1:] if each != "all"]
    for task, names in every.items() if "all" in arguments else ():
        for name in names:
            if task == CLASSIFICATION or name not in every[CLASSIFICATION]:
                chosen.append((task, name))
            else:
                _print({"task": task, "type": name, "head": True, **with_head(task, name)})
    for task, name in chosen:
        _print({"task": task, "type": name, **walked(task, name, place / "made")})
        shutil.rmtree(place / "made", ignore_errors=True)


def _print(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
