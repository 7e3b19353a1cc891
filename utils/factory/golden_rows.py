"""golden.json of a build: the golden requests of its models, under the names and versions that are served."""

from collections.abc import Mapping, Sequence

from utils.convert.origins.origin import Models
from utils.convert.task import ModelTask, Task, pipeline_of
from utils.convert.types import GoldenPair, ServedGraph, Settings
from utils.proof.golden import GoldenAnswers, GoldenRow, RequiredAgreement
from utils.repository.pipeline import Pipeline
from utils.repository.serving import ServedNames
from utils.repository.tensors import TensorSpec
from utils.targets.target import Target


def golden_answers(
    task: Task,
    names: ServedNames,
    settings: Settings,
    labels: tuple[str, ...],
    served: Models[ServedGraph],
    pipeline: Pipeline,
    target: Target,
) -> GoldenAnswers:
    """Of the pipeline as a whole and of every graph that is served by itself; one rule compares them all."""
    rows: list[GoldenRow] = []
    if steps := pipeline_of(task):
        graphs = {name: each.graph for name, each in served.by_name.items()}
        pairs = [
            GoldenPair(inputs=request, outputs=answer) for request, answer in steps.golden(graphs, settings, labels)
        ]
        rows += _rows(pairs, pipeline.model_name, False, _served_names(task, names, settings, served.served, pipeline))
    for name, each in served.by_name.items():
        is_task = name == served.name and isinstance(task, ModelTask) and each.tokenizer is not None
        renamed = _served_names(task, names, settings, each, pipeline) if is_task else {}
        rows += _rows(each.golden, pipeline.model_name if is_task else name, each.graph.batched, renamed)
    widest = max(each.tolerance for each in served.by_name.values())
    agreement = None
    if isinstance(task, ModelTask) and task.guard and target.agrees_where_served:
        reduction = target.reduction
        agreement = RequiredAgreement(
            rule=task.guard.rule(settings), least=reduction.min_agreement, precision=reduction.precision.name
        )
    return GoldenAnswers(rows=tuple(rows), comparison=task.comparison, tolerance=widest, agreement=agreement)


def _rows(
    pairs: Sequence[GoldenPair], model: str, batched: bool, renamed: Mapping[str, Mapping[str, str]]
) -> list[GoldenRow]:
    inputs, outputs = renamed.get("inputs", {}), renamed.get("outputs", {})
    return [
        GoldenRow(
            model=model,
            batched=batched,
            inputs={inputs.get(name, name): value for name, value in pair.inputs.items()},
            outputs={outputs.get(name, name): value for name, value in pair.outputs.items()},
            parameters=pair.parameters,
            reference={outputs.get(name, name): value for name, value in pair.reference.items()},
        )
        for pair in pairs
    ]


def _served_names(
    task: Task, names: ServedNames, settings: Settings, served: ServedGraph, pipeline: Pipeline
) -> dict[str, dict[str, str]]:
    """{"inputs" | "outputs": {name in the task's row: served name}}."""
    usual = task.outputs(settings, served.graph)
    if usual or not isinstance(task, ModelTask):
        return {
            "inputs": _pairs(task.inputs, names.of_inputs(task.inputs)),
            "outputs": _pairs(usual, names.of_outputs(usual)),
        }
    # The graph itself is served, with the names that its format has for them.
    by_name = {name: served_name for served_name, name in pipeline.steps[0].stands_for.items()}
    outputs = zip(task.graph_outputs, served.graph.outputs, strict=True)
    return {"inputs": by_name, "outputs": {name: by_name.get(tensor.name, tensor.name) for name, tensor in outputs}}


def _pairs(usual: Sequence[TensorSpec], served: Sequence[TensorSpec]) -> dict[str, str]:
    return {one.name: other.name for one, other in zip(usual, served, strict=True)}
