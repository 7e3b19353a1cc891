"""Rows of the input, some at a time, and with their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

# Characters in a block at most. A block that does not end there is one request: the rows that the server takes.
CHARACTERS = 1_000_000


class Block(Protocol):
    """Some rows of the input."""

    @property
    def faults(self) -> Mapping[int, str]:
        """{place in the block: why the row could not be read}."""

    @property
    def size(self) -> int:
        """About how many characters or bytes it has."""

    def __len__(self) -> int: ...

    def cells(self, column: str) -> Sequence[Any]:
        """The values of a column; None where a row has none."""

    def rows(self) -> list[dict[str, Any]]:
        """Each row as {column: value}."""


@dataclass(frozen=True, kw_only=True)
class RowBlock:
    """Rows of a text format."""

    read: Sequence[dict[str, Any]]
    size: int
    faults: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.read)

    def cells(self, column: str) -> Sequence[Any]:
        """See Block."""
        return [row.get(column) for row in self.read]

    def rows(self) -> list[dict[str, Any]]:
        """See Block."""
        return list(self.read)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A block and, for each row, the cells of the answer: {column: value}, None for a row with an error."""

    block: Block
    cells: Sequence[Mapping[str, Any]]
    errors: Sequence[str | None]
