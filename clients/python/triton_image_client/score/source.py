"""The input and output files of `score`: their formats by name, and what identifies the input."""

import gzip
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from triton_image_client.score.errors import InputError, OptionError
from triton_image_client.score.text_formats import TextReader, TextWriter

FORMATS = ("csv", "tsv", "jsonl", "parquet")
STREAM = "-"


def format_of(path: str, chosen: str | None, option: str) -> str:
    """By the file's name, unless it is chosen. OptionError if neither tells."""
    if chosen:
        kind = chosen
    else:
        suffixes = [suffix.lstrip(".").lower() for suffix in Path(path).suffixes if suffix.lower() != ".gz"]
        kind = suffixes[-1] if suffixes else ""
        kind = "jsonl" if kind == "ndjson" else kind
    if kind not in FORMATS:
        raise OptionError(
            f"the format of {path!r} is not known by its name; use {option} with one of: {', '.join(FORMATS)}"
        )
    if kind == "parquet" and (path == STREAM or is_zipped(path)):
        raise OptionError(f"{path!r} cannot be Parquet: a pipe and gzip hold csv, tsv or jsonl")
    return kind


def is_zipped(path: str) -> bool:
    """True for .gz."""
    return path.lower().endswith(".gz")


def reader(path: str, kind: str, *, is_table: bool) -> Any:
    """The reader of an input file, or of stdin. InputError if it cannot be opened. `is_table`: see TextReader."""
    if kind == "parquet":
        from triton_image_client.score.parquet import ParquetReader

        return ParquetReader(Path(path))
    try:
        stream: Any = sys.stdin.buffer if path == STREAM else Path(path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{path!r} cannot be read: {error.strerror}") from error
    if is_zipped(path):
        stream = gzip.open(stream)  # noqa: SIM115
    return TextReader(stream, kind, repr(path), is_table=is_table)


def writer(path: str, kind: str, source: Any, added: Mapping[str, str]) -> Any:
    """The writer of the output's format."""
    if kind == "parquet":
        from triton_image_client.score.parquet import ParquetWriter

        return ParquetWriter(source, added)
    return TextWriter(kind, source.columns, added, is_zipped(path))


def examine(path: str, *, counts_lines: bool) -> tuple[str, int | None]:
    """SHA-256 of a file, and about how many rows it has: its line ends."""
    digest, lines = hashlib.sha256(), 0
    try:
        with Path(path).open("rb") as stream:
            while piece := stream.read(2**20):
                digest.update(piece)
                lines += piece.count(b"\n") if counts_lines else 0
    except OSError as error:
        raise InputError(f"{path!r} cannot be read: {error.strerror}") from error
    return digest.hexdigest(), lines if counts_lines else None


class StreamOutput:
    """stdout, or another output that cannot be resumed: the rows are written as they come."""

    rows = 0
    is_finished = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def add(self, rows: int, content: bytes) -> None:
        """Writes the bytes of `rows` rows."""
        self._stream.write(content)
        self._stream.flush()
        self.rows += rows

    def finish(self, _writer: Any) -> None:
        """All is written."""

    def close(self) -> None:
        """Stdout stays open."""
