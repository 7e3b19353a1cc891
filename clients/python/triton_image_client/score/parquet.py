"""Parquet: read by row groups, and written by way of an Arrow stream. Needs the extra `parquet`.

A Parquet file cannot be continued after a kill, because its directory is at its end. The encapsulated messages of an
Arrow stream can: the rows are written as such, and become Parquet when all are there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triton_image_client.score import outputs
from triton_image_client.score.blocks import Answered, Block
from triton_image_client.score.errors import InputError, OptionError
from triton_image_client.score.text_formats import _cell

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as missing:
    raise OptionError(
        f"Parquet needs more packages ({missing}); install them with: pip install 'triton-image-client[parquet]'"
    ) from missing

TYPES = {
    outputs.TEXT: pa.string(),
    outputs.NUMBER: pa.float32(),
    outputs.INTEGER: pa.int64(),
    outputs.TEXTS: pa.list_(pa.string()),
    outputs.NUMBERS: pa.list_(pa.float32()),
    outputs.INTEGERS: pa.list_(pa.int64()),
}
# Rows that are decoded at a time, and the rows and bytes of a row group of the output at most.
READ_ROWS = 1024
GROUP_ROWS, GROUP_BYTES = 65536, 16 * 2**20


@dataclass(frozen=True, kw_only=True)
class ArrowBlock:
    """Rows of a Parquet file, with their types."""

    batch: Any
    faults: Mapping[int, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """See Block."""
        return int(self.batch.nbytes)

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def cells(self, column: str) -> Sequence[Any]:
        """See Block."""
        cells: list[Any] = self.batch.column(column).to_pylist()
        return cells

    def rows(self) -> list[dict[str, Any]]:
        """See Block."""
        rows: list[dict[str, Any]] = self.batch.to_pylist()
        return rows


class ParquetReader:
    """Blocks of a Parquet file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{str(path)!r} cannot be read as Parquet: {error}") from error
        # Messages of a stream cannot have dictionaries: their values are written instead.
        self.schema = pa.schema([_plain(each) for each in self._file.schema_arrow])
        self.columns = list(self.schema.names)
        self.total: int | None = self._file.metadata.num_rows

    def blocks(self, skip: int, size: Callable[[], int]) -> Iterator[Block]:
        """The rows after the first `skip`, each time `size` of them. Skipped row groups are not read."""
        groups = list(range(self._file.num_row_groups))
        while groups and skip >= self._file.metadata.row_group(groups[0]).num_rows:
            skip -= self._file.metadata.row_group(groups.pop(0)).num_rows
        if not groups:
            return
        try:
            for read in self._file.iter_batches(READ_ROWS, row_groups=groups):
                batch = read.slice(min(skip, read.num_rows)).cast(self.schema)
                skip -= min(skip, read.num_rows)
                place = 0
                while place < batch.num_rows:
                    rows = size()
                    yield ArrowBlock(batch=batch.slice(place, rows))
                    place += rows
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{str(self._path)!r} cannot be read: {error}") from error


def _plain(column: Any) -> Any:
    return column.with_type(column.type.value_type) if pa.types.is_dictionary(column.type) else column


class ParquetWriter:
    """The bytes of an Arrow stream, which `finish` turns into Parquet. Columns of a text format are strings."""

    def __init__(self, reader: Any, added: Mapping[str, str]) -> None:
        kept = (
            reader.schema if isinstance(reader, ParquetReader) else [pa.field(n, pa.string()) for n in reader.columns]
        )
        self._kept = pa.schema(kept)
        self._added = pa.schema([pa.field(name, TYPES[kind]) for name, kind in added.items()])
        self._schema = pa.schema([*self._kept, *self._added])

    def head(self) -> bytes:
        """The schema, as a message."""
        return bytes(self._schema.serialize())

    def encode(self, answered: Iterable[Answered]) -> bytes:
        """One message for all rows."""
        batches = [self._batch(each) for each in answered]
        if not batches:
            return b""
        (batch,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
        return bytes(batch.serialize())

    def _batch(self, answered: Answered) -> Any:
        block = answered.block
        if isinstance(block, ArrowBlock):
            kept = block.batch.columns
        else:
            kept = [pa.array([_text(row.get(name)) for row in block.rows()], pa.string()) for name in self._kept.names]
        added = [pa.array([cells.get(column.name) for cells in answered.cells], column.type) for column in self._added]
        return pa.record_batch([*kept, *added], schema=self._schema)

    def finish(self, part: Path, output: Path) -> None:
        """Writes the Parquet file beside its place, then gives it its name."""
        made = output.with_name(f"{output.name}.converting")
        with pa.OSFile(str(part)) as source, pq.ParquetWriter(made, self._schema) as sink:
            waiting: list[Any] = []
            for batch in pa.ipc.open_stream(source):
                waiting.append(batch)
                if sum(b.num_rows for b in waiting) >= GROUP_ROWS or sum(b.nbytes for b in waiting) >= GROUP_BYTES:
                    sink.write_table(pa.Table.from_batches(waiting))
                    waiting = []
            if waiting:
                sink.write_table(pa.Table.from_batches(waiting))
        made.replace(output)
        part.unlink()


def _text(value: Any) -> str | None:
    return None if value is None else _cell(value).encode(errors="replace").decode()
