"""try.json: what the try-it page (deploy/try_page/) knows of a model: its tensors, labels and example requests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.supervisor.try_page import DATA
from utils.convert.task import Task
from utils.convert.types import Settings
from utils.proof.golden import GoldenAnswers, GoldenRow
from utils.proof.golden_file import converter
from utils.repository.pipeline import Pipeline
from utils.repository.tensors import TensorSpec

FORMAT = 1
# The page is small: a longer request, list of labels or vocabulary is left out.
MOST_EXAMPLES, LONGEST_EXAMPLE, LONGEST_TEXT = 3, 200_000, 300
MOST_LABELS, MOST_TOKENS = 200, 300_000
# Settings of tasks that choose how an answer is shown.
SHOWN = ("score_function", "activation", "similarity")


def write_try_page(
    task: Task, settings: Settings, labels: Sequence[str], pipeline: Pipeline, golden: GoldenAnswers, folder: Path
) -> None:
    """Writes `folder`/try.json, readable for the image's user."""
    rows = [row for row in golden.rows if row.model == pipeline.model_name]
    content = {
        "format": FORMAT,
        "task": task.name,
        "model": pipeline.model_name,
        "max_batch_size": pipeline.max_batch_size if all(row.batched for row in rows) else 0,
        "inputs": _tensors(pipeline.inputs),
        "outputs": _tensors(pipeline.outputs),
        "labels": {"count": len(labels), "texts": list(labels[:MOST_LABELS])},
        "parameters": _parameters(settings),
        "settings": {name: settings[name] for name in SHOWN if settings.get(name)},
        "tokens": _tokens(pipeline) if task.comparison == "sparse" else [],
        "examples": _examples(rows),
    }
    file = folder / DATA
    file.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    file.chmod(0o644)


def _tensors(tensors: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    """In the order of the task's row, which is that of their roles; dims without the batch dimension."""
    return [{"name": each.name, "datatype": each.dtype, "dims": list(each.dims)} for each in tensors]


def _parameters(settings: Settings) -> dict[str, list[Any]]:
    """The values that a request may choose, the usual one first."""
    usual, prompts = settings.get("default_prompt"), list(settings.get("prompts") or ())
    prompts.sort(key=lambda name: name != usual)
    sizes = list(settings.get("dimensions") or ())
    offered = {"prompt_name": prompts if usual else ["", *prompts], "dimensions": sizes}
    return {name: values for name, values in offered.items() if len(values) > 1}


def _tokens(pipeline: Pipeline) -> list[str]:
    """The vocabulary by number, so that the page can name the tokens of a sparse embedding."""
    from tokenizers import Tokenizer

    file = next((step.files["tokenizer.json"] for step in pipeline.steps if "tokenizer.json" in step.files), None)
    if file is None:
        return []
    numbers = Tokenizer.from_file(str(file)).get_vocab(with_added_tokens=True)
    if len(numbers) > MOST_TOKENS:
        return []
    tokens = [""] * (max(numbers.values()) + 1)
    for token, number in numbers.items():
        tokens[number] = token
    return tokens


def _examples(rows: Sequence[GoldenRow]) -> list[dict[str, Any]]:
    """A few golden requests, those with plain texts first; none if all are too long."""
    made = converter()
    found: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: not _is_plain(row)):
        example = {"inputs": made.unstructure(row.inputs), "parameters": dict(row.parameters)}
        fits = len(json.dumps(example)) <= LONGEST_EXAMPLE
        if fits and (_is_plain(row) or not found):
            found.append(example)
    return found[:MOST_EXAMPLES]


def _is_plain(row: GoldenRow) -> bool:
    """Whether a person can read the request: no text is empty, long or has control characters."""
    values: list[Mapping[str, Any] | Any] = [value for tensor in row.inputs.values() for value in tensor.data]
    texts = [value for value in values if isinstance(value, str)]
    return not row.parameters and all(
        text.strip() and len(text) <= LONGEST_TEXT and text.isprintable() for text in texts
    )
