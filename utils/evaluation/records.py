"""The lines of --eval-file and --calibration-file as values by column. Standard library only."""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from utils.host import digest
from utils.host.errors import SourceError

JSON_LINES = ".jsonl"
TABLES: dict[str, dict[str, Any]] = {".tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE}, ".csv": {}}
SUFFIXES = (*TABLES, JSON_LINES)
SHOWN = 60
EVAL_FILE = "--eval-file"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One line. `values`: texts of a table's cells, or JSON values; each reader raises SourceError for another kind."""

    file: Path
    line: int
    values: Mapping[str, Any]
    option: str = EVAL_FILE

    def error(self, what: str) -> SourceError:
        """The error for this line."""
        return SourceError(f"{self.option} {str(self.file)!r} line {self.line} {what}")

    def text(self, name: str, *, filled: bool = False) -> str:
        """A text; `filled`: it must not be empty."""
        value = self.values.get(name)
        if not isinstance(value, str) or (filled and not value.strip()):
            raise self._wrong(name, "a text that is not empty" if filled else "a text")
        return self._encodable(name, value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts: a JSON array, also in a cell of a table; or one text; or nothing for an empty list."""
        return tuple(str(value) for value in self.items(name, (str, int)))

    def items(self, name: str, kinds: tuple[type, ...]) -> list[Any]:
        """A list of values of these types."""
        value = self.values.get(name)
        if isinstance(value, str):
            value = _listed(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            value = [value]
        if not isinstance(value, list) or not all(type(each) in kinds for each in value):
            raise self._wrong(name, "a list of " + ("texts" if str in kinds else "objects"))
        return [self._encodable(name, each) if isinstance(each, str) else each for each in value]

    def number(self, name: str) -> float:
        """A finite number."""
        value = self.values.get(name)
        try:
            number = math.nan if isinstance(value, bool) or value is None else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise self._wrong(name, "a number")
        return number

    def label(self, name: str, value: object, labels: Sequence[str]) -> str:
        """The label that `value` means: its text, or its number."""
        by_number = {str(place): label for place, label in enumerate(labels)}
        text = str(value)
        if value is None:
            raise self._wrong(name, "a label of the model, or its number")
        if isinstance(value, bool) or (text not in labels and text not in by_number):
            raise self.error(
                f"has the {name} {text[:SHOWN]!r}, which is not one of the model's: {', '.join(labels[:10])}"
                f"{' ...' if len(labels) > 10 else ''}"
            )
        return text if text in labels else by_number[text]

    def _wrong(self, name: str, allowed: str) -> SourceError:
        value = self.values.get(name)
        fault = f"has no {name}" if value is None else f"has the {name} {str(value)[:SHOWN]!r}"
        return self.error(f"{fault}; it must be {allowed}")

    def _encodable(self, name: str, value: str) -> str:
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise self._wrong(name, "a text without half a surrogate pair") from error
        return value


def _listed(cell: str) -> object:
    """The JSON array in a cell, or the cell itself as the only item."""
    if not cell.strip():
        return []
    if cell.lstrip().startswith("["):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            pass
    return [cell]


def read_records(
    file: Path, columns: Sequence[str], suffixes: Sequence[str] = SUFFIXES, option: str = EVAL_FILE
) -> Iterator[Record]:
    """The lines of `file` with the values of `columns`, the right answer's last; SourceError for one that is not so.

    A table has the columns in this order. A first line that names the last column gives another order; if it names
    all columns, there may be further ones. In JSONL each line is an object with these names, and others.
    """
    suffix = file.suffix.lower()
    if suffix not in suffixes:
        raise SourceError(
            f"{option} {str(file)!r} cannot be read: its name ends in none of {', '.join(suffixes)}; save it so"
        )
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            start = Record(file=file, line=0, values={}, option=option)
            for record in _objects(stream, start) if suffix == JSON_LINES else _cells(stream, start, columns):
                yield replace(record, values={name: record.values.get(name) for name in columns})
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"{option} {str(file)!r} cannot be read ({error}); save it as UTF-8") from error


def digest_of(file: Path, option: str = EVAL_FILE) -> str:
    """The digest of its content; SourceError if it cannot be read."""
    try:
        return digest.of_file(file)
    except OSError as error:
        raise SourceError(f"{option} {str(file)!r} cannot be read ({error}); save it as UTF-8") from error


def _objects(stream: TextIO, start: Record) -> Iterator[Record]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        record = replace(start, line=number)
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise record.error(f"is not JSON ({error}); write one object in each line") from error
        if not isinstance(values, dict):
            raise record.error("is not a JSON object; write one object in each line")
        yield replace(record, values=values)


def _cells(stream: TextIO, start: Record, columns: Sequence[str]) -> Iterator[Record]:
    names: Sequence[str] = ()
    reader = csv.reader(stream, **TABLES[start.file.suffix.lower()])
    for row in filter(None, reader):
        if not names:
            names = _names(row, columns)
            if names is not columns:
                continue
        record = replace(start, line=reader.line_num, values=dict(zip(names, row, strict=False)))
        if len(row) != len(names):
            raise record.error(f"has {len(row)} columns; it must have {len(names)}: {', '.join(names)}")
        yield record


def _names(first: Sequence[str], columns: Sequence[str]) -> Sequence[str]:
    """The names of a table's columns: those of its first line, if that names the last."""
    right = columns[-1]
    if right not in first:
        return columns
    if set(columns) <= set(first) or len(first) != len(columns):
        return list(first)
    inputs = iter(columns)
    return [right if name == right else next(inputs) for name in first]
