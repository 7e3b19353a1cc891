"""The golden requests of a converted model with the reference model's answers, under the names of the task's row."""

from utils.convert.task import ModelTask
from utils.convert.types import Conversion, Example, GoldenPair, Tensors
from utils.proof.golden import TensorValue, texts

# Characters of all golden answers together, and the fewest answers that are kept whatever their size. A ranking of
# 12,000 labels has 400,000 characters: the image's canary reads the file every 10 s, so its size must have a bound.
MOST_CHARACTERS, FEWEST_PAIRS = 4_000_000, 2


def golden_pairs(
    task: ModelTask, conversion: Conversion, max_batch_size: int, labels: tuple[str, ...]
) -> tuple[GoldenPair, ...]:
    """One pair for each example, its answer with the labels; fewer where they are very large."""
    answers, references = (_labelled(task, each, labels) for each in (conversion.answers, conversion.references))
    if task.requests:
        requests = task.requests(conversion, max_batch_size)
    else:
        requests = [request(task, example) for example in conversion.examples]
    chosen = [{name: each[name] for name in task.parameters if name in each} for each in conversion.examples]
    pairs = zip(requests, answers, references or [{}] * len(answers), chosen, strict=True)
    return _few(
        tuple(
            GoldenPair(inputs=each, outputs=answer, reference=reference, parameters=own)
            for each, answer, reference, own in pairs
        )
    )


def _labelled(task: ModelTask, answers: tuple[Tensors, ...], labels: tuple[str, ...]) -> tuple[Tensors, ...]:
    return tuple(task.relabelled(each, labels) for each in answers) if task.relabelled else answers


def request(task: ModelTask, example: Example) -> dict[str, TensorValue]:
    """An example as the tensors of one row."""
    inputs = {name: value for name, value in example.items() if name not in task.parameters}
    return {name: texts([value] if isinstance(value, str) else value) for name, value in inputs.items()}


def _few(pairs: tuple[GoldenPair, ...]) -> tuple[GoldenPair, ...]:
    """All pairs, or as many of them, evenly spread, as MOST_CHARACTERS allows."""
    largest = max((_characters(pair.outputs) + _characters(pair.reference) for pair in pairs), default=0)
    count = max(FEWEST_PAIRS, MOST_CHARACTERS // max(1, largest))
    if count >= len(pairs):
        return pairs
    return tuple(pairs[position * len(pairs) // count] for position in range(count))


def _characters(outputs: Tensors) -> int:
    """Of the outputs as JSON, about: a number has 22."""
    values = [value for tensor in outputs.values() for value in tensor.data]
    return sum(len(value) + 4 if isinstance(value, str | bytes) else 22 for value in values)
