"""The baseline of a build's answers, and the dashboard and alerts that compare the served ones with it."""

from pathlib import Path

from utils.convert.eval_file import read_labelled_texts
from utils.host.progress import note
from utils.options.build_spec import BuildSpec
from utils.proof.golden import GoldenAnswers
from utils.release import baseline, measured
from utils.release.monitoring import write_monitoring
from utils.repository.context import Context
from utils.repository.pipeline import Pipeline
from utils.triton.address import ServerAddress


def write_observed(pipeline: Pipeline, golden: GoldenAnswers, folder: Path) -> None:
    """baseline.json of the golden answers, the dashboard and the alerts."""
    baseline.write_baseline(baseline.of_golden(pipeline, golden), folder)
    write_monitoring(folder, pipeline)


def evaluate(spec: BuildSpec, context: Context, folder: Path, address: ServerAddress) -> None:
    """With --eval-file: writes all again, with the answers of the running server to its texts."""
    file = spec.target.reduction.eval_file
    if file is None:
        return
    pipeline, inputs = context.pipeline, [tensor.name for tensor in spec.source.task.inputs]
    rows = read_labelled_texts(file, inputs, measured.labels(pipeline))
    # The second text of a pair may be empty, and is dropped then.
    texts = [[row.text, ""][: len(inputs)] if isinstance(row.text, str) else row.text for row in rows]
    found = baseline.of_server(pipeline, address, texts)
    baseline.write_baseline(found, folder)
    write_monitoring(folder, pipeline)
    note(f"baseline of drift: {found.sentence}")
