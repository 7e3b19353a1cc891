"""CSV, TSV and JSONL, also in gzip (.gz): read and written row by row."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from triton_image_client.score.blocks import CHARACTERS, Answered, Block, RowBlock
from triton_image_client.score.errors import InputError

DELIMITERS = {"csv": ",", "tsv": "\t"}
# A row of the input, and why it could not be read.
Read = tuple[dict[str, Any], str]
csv.field_size_limit(2**31 - 1)


class TextReader:
    """Blocks of a text file. `columns` are those of the header, or of the first JSON object.

    `is_table`: the output has the same columns in all rows. A JSON object with others is a fault then.
    """

    total: int | None = None

    def __init__(self, stream: BinaryIO, kind: str, name: str, *, is_table: bool) -> None:
        self._name, self._is_table = name, is_table
        read = self._checked(_json_rows(stream) if kind == "jsonl" else _csv_rows(stream, DELIMITERS[kind]))
        first = next(read, None)
        if first is None:
            raise InputError(f"{name} is empty")
        # The first value of CSV is the header.
        self.columns = list(first[0])
        self._rows = chain([first], read) if kind == "jsonl" else read

    def _checked(self, rows: Iterator[Read]) -> Iterator[Read]:
        try:
            yield from rows
        except (OSError, EOFError, csv.Error) as error:
            raise InputError(f"{self._name} cannot be read: {error}") from error

    def blocks(self, skip: int, size: Callable[[], int]) -> Iterator[Block]:
        """The rows after the first `skip`, each time `size` of them."""
        rows = map(self._in_table, islice(self._rows, skip, None)) if self._is_table else islice(self._rows, skip, None)
        while block := _block(rows, size()):
            yield block

    def _in_table(self, read: Read) -> Read:
        row, fault = read
        extra = [name for name in row if name not in self.columns]
        return row, fault or (
            f"the row has the column {extra[0]!r}, which the first row does not have" if extra else ""
        )


def _block(rows: Iterator[Read], most: int) -> RowBlock | None:
    read: list[dict[str, Any]] = []
    faults: dict[int, str] = {}
    size = 0
    for row, fault in rows:
        if fault:
            faults[len(read)] = fault
        read.append(row)
        size += sum(len(cell) for cell in row.values() if isinstance(cell, str))
        if len(read) == most or size >= CHARACTERS:
            break
    return RowBlock(read=read, size=size, faults=faults) if read else None


def _csv_rows(stream: BinaryIO, delimiter: str) -> Iterator[Read]:
    """First the header, with itself as values. Bytes that are not UTF-8 stay as they are, as surrogates."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    lines = csv.reader(text, delimiter=delimiter)
    header = next(lines, None)
    if header is None:
        return
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise InputError(f"the header has columns with the same name: {', '.join(sorted(twice))}")
    yield dict(zip(header, header, strict=True)), ""
    for line in lines:
        if not line:
            continue  # an empty line, as csv.DictReader skips it
        cells = [*line, *[""] * (len(header) - len(line))]
        fault = "" if len(line) == len(header) else f"the row has {len(line)} fields, the header has {len(header)}"
        yield dict(zip(header, cells, strict=False)), fault


def _json_rows(stream: BinaryIO) -> Iterator[Read]:
    for line in stream:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:  # UnicodeDecodeError is one
            yield {"input": line.decode(errors="replace").strip()}, f"the line is not JSON: {error}"
            continue
        if isinstance(row, dict):
            yield row, ""
        else:
            yield {"input": row}, f"the line is a JSON {type(row).__name__}, not an object"


class TextWriter:
    """The bytes of rows. `columns`: those of the input; `added`: {column: kind}."""

    def __init__(self, kind: str, columns: Sequence[str], added: Mapping[str, str], zipped: bool) -> None:
        self._kind, self._zipped = kind, zipped
        self._all = [*columns, *added]

    def head(self) -> bytes:
        """What the file begins with."""
        return b"" if self._kind == "jsonl" else self._pack(self._csv([self._all]))

    def encode(self, answered: Iterable[Answered]) -> bytes:
        """Of rows with their answers. In gzip, a member of its own."""
        rows = ({**row, **cells} for each in answered for row, cells in zip(each.block.rows(), each.cells, strict=True))
        if self._kind == "jsonl":
            return self._pack(b"".join(map(_json_line, rows)))
        return self._pack(self._csv([_cell(row.get(name)) for name in self._all] for row in rows))

    def _csv(self, lines: Iterable[Sequence[Any]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=DELIMITERS[self._kind], lineterminator="\n").writerows(lines)
        return text.getvalue().encode(errors="surrogateescape")

    def _pack(self, content: bytes) -> bytes:
        return gzip.compress(content, 6, mtime=0) if self._zipped and content else content

    def finish(self, part: Path, output: Path) -> None:
        """Gives the finished file its name."""
        part.replace(output)


def _json_line(row: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n"
    except UnicodeEncodeError:  # a half of a surrogate pair, which only an escape can hold
        return json.dumps(row, default=str).encode() + b"\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
