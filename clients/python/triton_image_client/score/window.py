"""Blocks through the served model: several at a time, given back in their order."""

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from triton_image_client.errors import AccessError, BadRequestError, InternalError, NotFoundError
from triton_image_client.models import Row
from triton_image_client.score.blocks import Answered, Block
from triton_image_client.score.outputs import Output
from triton_image_client.sessions import Session

# Blocks in hand for each request in flight: others go on while the oldest is slow.
AHEAD = 4


@dataclass(frozen=True, kw_only=True)
class Asking:
    """`reads`: {usual name of an input: column}. `fixed`: {usual name: values}, the same for each row.

    `added`: names of the columns of an answer. `error`: the name of the column for errors, or None.
    """

    session: Session[Any]
    output: Output
    reads: Mapping[str, str]
    fixed: Mapping[str, Sequence[bytes]]
    parameters: Mapping[str, str | int]
    added: Sequence[str]
    error: str | None

    def answered(self, block: Block) -> Answered:
        """The block with its answers. Errors of the server that are not of a row are raised."""
        errors: list[str | None] = [block.faults.get(place) for place in range(len(block))]
        cells: list[dict[str, Any]] = [{} for _ in range(len(block))]
        rows: dict[int, Row] = {}
        columns = {usual: block.cells(column) for usual, column in self.reads.items()}
        for place in range(len(block)):
            if errors[place] is None:
                row = self._row({usual: values[place] for usual, values in columns.items()})
                if isinstance(row, str):
                    errors[place] = row
                else:
                    rows[place] = row
        for place, value in zip(rows, self._values(list(rows.values())), strict=True):
            if isinstance(value, Refused):
                errors[place] = value.reason
            else:
                cells[place] = dict(zip(self.added, self.output.cells(value), strict=False))
        if self.error:
            cells = [{**each, self.error: error} for each, error in zip(cells, errors, strict=True)]
        return Answered(block=block, cells=cells, errors=errors)

    def _row(self, texts: Mapping[str, Any]) -> Row | str:
        """The row, or why it cannot be sent."""
        row: dict[str, Sequence[bytes]] = {}
        for usual, text in texts.items():
            if not isinstance(text, str):
                what = "no value" if text is None else f"a {type(text).__name__}"
                return f"the column {self.reads[usual]!r} has {what}; it must be a text"
            try:
                row[usual] = (text.encode(),)
            except UnicodeEncodeError:
                return f"the column {self.reads[usual]!r} is not valid UTF-8"
        return {**row, **self.fixed}

    def _values(self, rows: Sequence[Row]) -> list[Any]:
        """A value for each row, or Refused. A refused request is halved until the rows that it is about are found."""
        if not rows:
            return []
        try:
            return list(self.session.in_turn(rows, self.parameters))
        except (AccessError, NotFoundError):
            raise
        except (BadRequestError, InternalError) as error:
            if len(rows) == 1:
                return [Refused(reason=str(error))]
        middle = len(rows) // 2
        return self._values(rows[:middle]) + self._values(rows[middle:])


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The server has no answer for a row."""

    reason: str


def in_order(asking: Asking, blocks: Iterator[Block], in_flight: int) -> Generator[Answered, None, None]:
    """The answered blocks, in the order of the input."""
    if asking.session.model().limit is None:  # the refusal of the first request tells it
        first = next(blocks, None)
        if first is not None:
            yield asking.answered(first)
    with ThreadPoolExecutor(in_flight, "score") as pool:
        waiting: deque[Future[Answered]] = deque()
        try:
            for block in blocks:
                waiting.append(pool.submit(asking.answered, block))
                if len(waiting) >= AHEAD * in_flight:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
