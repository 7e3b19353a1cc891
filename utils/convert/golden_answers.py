"""The golden answers of a build: the task's golden requests, and what the original answers to each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from utils.convert.task import Example, Settings
from utils.options.build_spec import BuildSpec
from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, texts
from utils.repository.pipeline import Graph, Pipeline

if TYPE_CHECKING:
    from utils.convert_to_onnx import Conversion

# Characters of all golden answers together, and the fewest answers that are kept whatever their size. A ranking of
# 12,000 labels has 400,000 characters: the image's canary reads the file every 10 s, so its size must have a bound.
MOST_CHARACTERS, FEWEST_ROWS = 4_000_000, 2


def golden_answers(
    spec: BuildSpec, settings: Settings, conversion: "Conversion", pipeline: Pipeline, labels: tuple[str, ...] = ()
) -> GoldenAnswers:
    """One row for each example, its tensors under the names they are served by."""
    task, answers = spec.task, conversion.answers
    if task.relabelled:
        answers = tuple(task.relabelled(answer, labels) for answer in answers)
    usual_outputs = task.outputs(settings, conversion.graph)
    inputs = _names(task.inputs, spec.names.of_inputs(task.inputs))
    outputs = _names(usual_outputs, spec.names.of_outputs(usual_outputs))
    if not usual_outputs:  # the graph itself is served, with the names that its format has for them
        inputs = {usual: name for name, usual in pipeline.steps[0].stands_for.items()}
        served = zip(task.graph_outputs, conversion.graph.outputs, strict=True)
        outputs = {usual: inputs.get(tensor.name, tensor.name) for usual, tensor in served}
    if task.requests:
        requests = task.requests(conversion, pipeline.max_batch_size)
    else:
        requests = [request(example) for example in conversion.examples]
    rows = tuple(
        GoldenRow(
            model=pipeline.model_name,
            batched=pipeline.max_batch_size > 0,
            inputs={inputs.get(name, name): value for name, value in asked.items()},
            outputs={outputs[name]: value for name, value in answer.items()},
        )
        for asked, answer in zip(requests, answers, strict=True)
    )
    return GoldenAnswers(rows=_few(rows), comparison=task.comparison, tolerance=conversion.tolerance)


def answers_of_graphs(
    spec: BuildSpec, settings: Settings, graphs: Mapping[str, Graph], labels: tuple[str, ...]
) -> GoldenAnswers:
    """What a pipeline of ready graphs as a whole is asked, under the names it is served by."""
    task = spec.task
    assert task.graphs
    usual_outputs = task.outputs(settings, next(iter(graphs.values())))
    inputs = _names(task.inputs, spec.names.of_inputs(task.inputs))
    outputs = _names(usual_outputs, spec.names.of_outputs(usual_outputs))
    rows = tuple(
        GoldenRow(
            model=spec.model_name,
            batched=False,
            inputs={inputs[name]: value for name, value in asked.items()},
            outputs={outputs[name]: value for name, value in answer.items()},
        )
        for asked, answer in task.graphs.golden(graphs, settings, labels)
    )
    return GoldenAnswers(rows=rows, comparison=task.comparison)


def request(example: Example) -> dict[str, TensorValue]:
    """An example as the tensors of one row."""
    return {name: texts([value] if isinstance(value, str) else value) for name, value in example.items()}


def _few(rows: tuple[GoldenRow, ...]) -> tuple[GoldenRow, ...]:
    """All rows, or as many of them, evenly spread, as MOST_CHARACTERS allows."""
    largest = max((_characters(row) for row in rows), default=0)
    count = max(FEWEST_ROWS, MOST_CHARACTERS // max(1, largest))
    if count >= len(rows):
        return rows
    return tuple(rows[place * len(rows) // count] for place in range(count))


def _characters(row: GoldenRow) -> int:
    """Of the row's outputs as JSON, about: a number has 22."""
    values = [value for tensor in row.outputs.values() for value in tensor.data]
    return sum(len(value) + 4 if isinstance(value, str | bytes) else 22 for value in values)


def _names(usual: tuple, given: tuple) -> dict[str, str]:  # type: ignore[type-arg]
    return {one.name: other.name for one, other in zip(usual, given, strict=True)}
