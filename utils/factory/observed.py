"""What is observed of a build's answers: the baseline of drift with its alerts, and the evaluation on --eval-file."""

from collections.abc import Iterator
from pathlib import Path

from utils.convert.golden_pairs import request
from utils.convert.task import ModelTask
from utils.convert.types import ServedGraph
from utils.evaluation.eval_file import EvalFile
from utils.evaluation.evaluation import evaluate, read_evaluation, token_counts, write_evaluation
from utils.evaluation.kind import Answer, Tensors
from utils.host.progress import note
from utils.options.build_spec import BuildSpec
from utils.proof.golden import GoldenAnswers
from utils.proof.verify import served_answers
from utils.release import baseline, measured
from utils.repository.context import Context
from utils.repository.pipeline import Pipeline
from utils.triton.address import ServerAddress


def write_observed(pipeline: Pipeline, golden: GoldenAnswers, folder: Path) -> None:
    """baseline.json of the golden answers, the dashboard and the alerts."""
    _write_baseline(baseline.of_golden(pipeline, golden), pipeline, folder)


def _write_baseline(found: baseline.Baseline, pipeline: Pipeline, folder: Path) -> None:
    from utils.release.monitoring import write_monitoring  # needs jinja2

    baseline.write_baseline(found, folder)
    write_monitoring(folder, pipeline)


def write_before(task: str, served: ServedGraph, folder: Path) -> None:
    """With --eval-file: evaluation.json of the reference model's answers."""
    if served.evaluated is None:
        return
    assert served.tokenizer  # a model of transformers has one
    source = served.evaluated.eval_file
    lengths = token_counts(served.tokenizer.file, source.rows())
    evaluation = evaluate(task, source, served.evaluated.answers, lengths)
    write_evaluation(evaluation, folder)
    note(evaluation.sentence)


def observe(spec: BuildSpec, context: Context, folder: Path, address: ServerAddress) -> None:
    """With --eval-file: the baseline and the evaluation are those of the running server's answers to its rows."""
    before, file, task = read_evaluation(folder), spec.target.reduction.eval_file, spec.source.task
    if before is None or file is None:
        return
    assert isinstance(task, ModelTask)
    pipeline = context.pipeline
    source = EvalFile(
        file=file,
        kind_name=before.kind,
        inputs=tuple(tensor.name for tensor in task.inputs),
        labels=tuple(measured.labels(pipeline)),
        digest=before.digest,
    )
    collected: list[Answer] = []
    answers = _answers(source, task, pipeline, address, collected)
    found = baseline.of_answers(pipeline, answers, baseline.EVALUATED)
    _write_baseline(found, pipeline, folder)
    if found.answers:
        note(f"baseline of drift: {found.sentence}")
    tokenizer = next(step.files["tokenizer.json"] for step in pipeline.steps if "tokenizer.json" in step.files)
    lengths = token_counts(tokenizer, source.rows())
    evaluation = evaluate(before.task, source, collected, lengths, before=before.before)
    write_evaluation(evaluation, folder)
    note(evaluation.sentence)


def _answers(
    source: EvalFile, task: ModelTask, pipeline: Pipeline, address: ServerAddress, collected: list[Answer]
) -> Iterator[Tensors]:
    """The server's answers as they come; what is measured of them goes to `collected`, and nothing else is kept."""
    kind = source.kind
    requests = (_renamed(request(task, each), task, pipeline) for row in source.rows() for each in row.examples)
    arriving = served_answers(address, pipeline, requests)
    for row in source.rows():
        own = [next(arriving) for _ in row.examples]
        collected.append(kind.extract([_usual(each, kind.outputs, pipeline) for each in own]))
        yield from own


def _renamed(tensors: Tensors, task: ModelTask, pipeline: Pipeline) -> Tensors:
    """A request under the served names."""
    served = zip(task.inputs, pipeline.inputs, strict=True)
    return {tensor.name: tensors[usual.name] for usual, tensor in served}


def _usual(answer: Tensors, names: tuple[str, ...], pipeline: Pipeline) -> Tensors:
    """An answer under the names of the task's row."""
    return {name: answer[tensor.name] for name, tensor in zip(names, pipeline.outputs, strict=True)}
