"""The served model that a client asks, and the requests for its rows.

Everything here is a generator that yields calls and gets their results (or errors) back: sessions.py sends the calls,
for threads or for asyncio.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar

from triton_image_client.calls import Array, BatchLimit, BytesInput, Call, Describe, Index, Infer, Metadata, TensorSpec
from triton_image_client.errors import (
    BadRequestError,
    BatchTooLargeError,
    InternalError,
    ModelError,
    NotFoundError,
    UsageError,
)
from triton_image_client.settings import Settings
from triton_image_client.tasks import Task

Value = TypeVar("Value")
Steps: TypeAlias = Generator[Call, Any, Value]
# One row of a request: {usual name of the input: its values}, one value for most inputs.
Row: TypeAlias = Mapping[str, Sequence[bytes]]

# The MODEL_NAME that make_triton_image.sh takes if it gets none.
DEFAULT_MODEL = "ensemble_model"
# Rows in a request if nothing is known of the server's limit. More gain nothing.
ROWS = 64


@dataclass(frozen=True, kw_only=True)
class Model(Generic[Value]):
    """A served model of a task. `tensors`: {usual name: tensor}. `limit`: rows in a request; None if not known yet."""

    task: Task[Value]
    name: str
    version: str
    versions: tuple[str, ...]
    tensors: Mapping[str, TensorSpec]
    limit: int | None

    @property
    def takes_batches(self) -> bool:
        """True when the first dimension of its tensors counts the rows of a request."""
        return len(self.tensors[self.task.inputs[0]].shape) > 1


def find(task: Task[Value], settings: Settings) -> Steps[Model[Value]]:
    """The model that `settings` names, or the only one of the server with the tensors of the task."""
    if settings.model:
        metadata: Metadata = yield Describe(model=settings.model, version=settings.model_version)
        tensors = task.tensors(metadata, settings.tensors)
    else:
        metadata, tensors = yield from _only(task, settings)
    model = Model(
        task=task,
        name=metadata.name,
        version=settings.model_version,
        versions=metadata.versions,
        tensors=tensors,
        limit=settings.max_batch_size,
    )
    if not model.takes_batches:
        return replace(model, limit=1)
    if model.limit is None:
        try:
            limit: int = yield BatchLimit(model=model.name, version=model.version)
        except (BadRequestError, InternalError):
            return model  # the first batch that is too large tells
        return replace(model, limit=max(1, min(limit, ROWS)))
    return model


def _only(task: Task[Value], settings: Settings) -> Steps[tuple[Metadata, dict[str, TensorSpec]]]:
    try:
        names: list[str] = yield Index()
    except (BadRequestError, InternalError):  # restricted, or not Triton
        names = [DEFAULT_MODEL]
    fit = []
    for name in names:
        try:
            metadata: Metadata = yield Describe(model=name, version=settings.model_version)
            fit.append((metadata, task.tensors(metadata, settings.tensors)))
        except NotFoundError as error:
            if names == [DEFAULT_MODEL]:
                raise ModelError(
                    f"{settings.address} does not list its models without its admin key, and serves none with the "
                    f"default name {DEFAULT_MODEL!r}; name the model: model='...'"
                ) from error
        except ModelError:
            if len(names) == 1:
                raise
    if len(fit) != 1:
        of_task = f", {len(fit)} of them for {task.name}" if fit else f", none for {task.name}"
        raise ModelError(
            f"{settings.address} serves {', '.join(map(repr, sorted(names))) or 'no model'}{of_task}; "
            "name the model: model='...'"
        )
    return fit[0]


def answers(
    model: Model[Value], rows: Sequence[Row], parameters: Mapping[str, str | int]
) -> Steps[tuple[Model[Value], list[Value]]]:
    """The values of `rows`, in requests of the model's limit, one after the other; and the model with its limit."""
    values: list[Value] = []
    while len(values) < len(rows):
        size = model.limit or ROWS
        part = rows[len(values) : len(values) + size]
        try:
            arrays: Mapping[str, Array] = yield _request(model, part, parameters)
        except BatchTooLargeError as error:
            if not 0 < error.limit < len(part):
                raise
            model = replace(model, limit=error.limit)
            continue
        values += _values(model, arrays, len(part))
    return model, values


def _request(model: Model[Any], rows: Sequence[Row], parameters: Mapping[str, str | int]) -> Infer:
    inputs = []
    for usual in model.task.inputs:
        sizes = {len(row[usual]) for row in rows}
        if len(sizes) > 1:
            raise UsageError(f"the rows of a request have different numbers of {usual}: {sorted(sizes)}")
        shape = (len(rows), *sizes) if model.takes_batches else tuple(sizes)
        values = [value for row in rows for value in row[usual]]
        inputs.append(BytesInput(name=model.tensors[usual].name, shape=shape, values=values))
    return Infer(
        model=model.name,
        version=model.version,
        inputs=tuple(inputs),
        outputs=tuple(model.tensors[usual].name for usual in model.task.outputs),
        parameters=parameters,
        binary=model.task.binary,
    )


def _values(model: Model[Value], arrays: Mapping[str, Array], rows: int) -> list[Value]:
    """Of one answer. InternalError if it does not have the tensors or the rows that were asked for."""
    try:
        usual = {name: arrays[model.tensors[name].name] for name in model.task.outputs}
        values = model.task.decode(
            usual if model.takes_batches else {name: array[None] for name, array in usual.items()}
        )
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise InternalError(f"the answer of the model {model.name!r} cannot be read: {error!r}") from error
    if len(values) != rows:
        raise InternalError(f"the answer of the model {model.name!r} has {len(values)} rows, expected {rows}")
    return values
