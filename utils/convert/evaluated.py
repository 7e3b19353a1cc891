"""What a conversion does with --eval-file and --calibration-file: checks them, and runs the models on their texts."""

from collections.abc import Iterator, Sequence
from typing import Any

from utils.convert.origins.origin import Request
from utils.convert.reference_model import has_tokens
from utils.convert.task import ConversionSpec, ModelTask
from utils.convert.types import Example, ReferenceModel, Settings, Text
from utils.evaluation.calibration_file import OPTION, CalibrationFile
from utils.evaluation.eval_file import EvalFile
from utils.evaluation.kind import Answer
from utils.evaluation.records import EVAL_FILE, digest_of
from utils.host.errors import SourceError
from utils.host.progress import note
from utils.sources.fetch import Metadata

# Answers are reduced to what is measured, so many at a time: an embedding of 4096 numbers has 130 kB as a tensor.
AT_ONCE = 500


def eval_file_of(request: Request, task: ModelTask, known: Metadata, settings: Settings) -> EvalFile | None:
    """The file of the build, read once; UsageError for a model whose answers it cannot hold, SourceError for a line."""
    file = request.target.reduction.eval_file
    if file is None:
        return None
    assert task.right_answers  # options/precision.py refuses the others
    evaluated = EvalFile(
        file=file,
        kind_name=task.right_answers(settings, known.config.head_size),
        inputs=tuple(tensor.name for tensor in task.inputs),
        labels=known.label_texts,
        digest=digest_of(file),
    )
    evaluated.rows()
    return evaluated


def calibration_file_of(request: Request, task: ModelTask) -> CalibrationFile | None:
    """The file of the build; SourceError for a line that is wrong."""
    file = request.target.reduction.calibration_file
    if file is None:
        return None
    inputs = tuple(tensor.name for tensor in task.inputs)
    calibration = CalibrationFile(file=file, inputs=inputs, digest=digest_of(file, OPTION))
    calibration.examples()
    return calibration


def require_answerable(tokenizer: Any, limit: int | None, spec: ConversionSpec) -> None:
    """SourceError for a line that the served model would refuse: no token, or a question longer than a row."""
    task, settings = spec.task, spec.settings
    for place, example in _examples(spec):
        is_answered = has_tokens(tokenizer, task.texts(settings, example))
        if not is_answered or (task.fits and not task.fits(tokenizer, settings, limit, example)):
            raise SourceError(
                f"{place} has a text that the model does not answer: it has no tokens, or more beside it than fit into "
                f"{limit}; leave the line out"
            )


def _examples(spec: ConversionSpec) -> Iterator[tuple[str, Example]]:
    """(option, file and line; example) of both files."""
    if spec.eval_file:
        for row in spec.eval_file.rows():
            yield from ((f"{EVAL_FILE} {str(spec.eval_file.file)!r} line {row.line}", each) for each in row.examples)
    if spec.calibration_file:
        for line, example in spec.calibration_file.examples():
            yield f"{OPTION} {str(spec.calibration_file.file)!r} line {line}", example


def reference_answers(reference: ReferenceModel, spec: ConversionSpec) -> tuple[Answer, ...]:
    """What is measured of the reference model's answer to each row; () without the file."""
    if spec.eval_file is None:
        return ()
    rows, found = spec.eval_file.rows(), list[Answer]()
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        answers = iter(spec.task.answer(reference, spec.settings, [each for row in part for each in row.examples]))
        found += [spec.eval_file.kind.extract([next(answers) for _ in row.examples]) for row in part]
    note(f"PyTorch has answered {len(rows)} rows of --eval-file")
    return tuple(found)


def texts_of(spec: ConversionSpec) -> tuple[Text, ...]:
    """The texts of all rows as the tokenizer gets them."""
    assert spec.eval_file
    return _texts(spec, [example for row in spec.eval_file.rows() for example in row.examples])


def calibration_texts(spec: ConversionSpec) -> tuple[Text, ...]:
    """Likewise of --calibration-file."""
    assert spec.calibration_file
    return _texts(spec, [example for _, example in spec.calibration_file.examples()])


def _texts(spec: ConversionSpec, examples: Sequence[Example]) -> tuple[Text, ...]:
    return tuple(text for example in examples for text in spec.task.texts(spec.settings, example))
