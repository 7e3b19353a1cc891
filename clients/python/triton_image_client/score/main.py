"""The console script `score`."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from triton_image_client.errors import ClientError, UsageError
from triton_image_client.models import ROWS, Model
from triton_image_client.score import source
from triton_image_client.score.blocks import Answered
from triton_image_client.score.errors import InputError, OptionError, RowError, ScoreError, ServingError
from triton_image_client.score.journal import Journal
from triton_image_client.score.options import parse, token
from triton_image_client.score.outputs import OUTPUTS, TEXT, Output
from triton_image_client.score.window import Asking, in_order
from triton_image_client.sessions import Session
from triton_image_client.settings import Settings
from triton_image_client.settings import parse as parse_address

# What waits for the next mark of the journal at most: blocks, characters and numbers, seconds.
MARK_BLOCKS, MARK_SIZE, MARK_SECONDS = 1024, 4_000_000, 1.0
ERROR = "error"


class Terminated(BaseException):
    """SIGTERM."""


def console() -> None:
    """The entry."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """The exit code. The only place where errors become one."""
    try:
        print(run(argv), file=sys.stderr)
    except ScoreError as error:
        print(f"score: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, Terminated) as error:
        print("score: interrupted; --resume continues with the rows that are written", file=sys.stderr)
        return 130 if isinstance(error, KeyboardInterrupt) else 143
    except BrokenPipeError:
        # Python flushes stdout at its end, and would report the closed pipe once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def run(argv: Sequence[str]) -> str:
    """Scores the file; the line for stderr. ScoreError for every foreseeable fault."""
    options = parse(argv)
    output = OUTPUTS[options.task]
    try:
        session: Session[Any] = Session(output.task, _settings(options))
    except UsageError as error:
        raise OptionError(str(error)) from error
    with closing(session):
        try:
            return _score(options, output, session)
        except ClientError as error:
            raise ServingError(f"{error}; --resume continues with the rows that are written") from error


def _settings(options: argparse.Namespace) -> Settings:
    certificate = (options.client_certificate, options.client_key) if options.client_key else None
    return Settings(
        address=parse_address(options.server),
        model=options.model,
        tensors=dict(each.split("=", 1) for each in options.tensor),
        max_batch_size=options.batch,
        in_flight=options.in_flight,
        deadline=options.deadline,
        token=token(options),
        headers={name.strip(): value.strip() for name, value in (each.split(":", 1) for each in options.header)},
        ca_file=options.ca_file,
        client_certificate=certificate,
    )


def _score(options: argparse.Namespace, output: Output, session: Session[Any]) -> str:
    kinds = [source.format_of(options.input, options.input_format, "--input-format")]
    kinds.append(source.format_of(options.output, options.output_format, "--output-format"))
    reader = source.reader(options.input, kinds[0], is_table=kinds[1] != "jsonl")
    reads = _columns(options, output, reader.columns, kinds[0])
    model = session.model()
    added = {f"{options.prefix}{name}": kind for name, kind in output.columns(model).items()}
    error = f"{options.prefix}{ERROR}" if options.on_error == "keep" else None
    written = {**added, error: TEXT} if error else added
    taken = [name for name in written if name in reader.columns]
    if taken:
        raise OptionError(f"the input has a column {taken[0]!r} already; use --prefix to name the added columns")
    asking = Asking(
        session=session,
        output=output,
        reads=reads,
        fixed={"candidate_labels": [label.encode() for label in options.label]} if options.label else {},
        parameters={n: getattr(options, n) for n in ("prompt_name", "dimensions") if getattr(options, n)},
        added=list(added),
        error=error,
    )
    writer = source.writer(options.output, kinds[1], reader, written)
    place, total = _place(options, model, {"reads": reads, "formats": kinds, "written": list(written)})
    with closing(place):
        if place.is_finished:
            place.finish(writer)
            return f"{options.output}: all {place.rows} rows were written before"
        return _write(options, asking, reader, writer, place, reader.total or total)


def _columns(options: argparse.Namespace, output: Output, has: Sequence[str], kind: str) -> dict[str, str]:
    """{usual name of an input: column}. InputError if the header has no such column."""
    named = (options.text_column, options.pair_column)
    names = [name or usual for name, usual in zip(named, output.reads, strict=False)]
    missing = [name for name in names if name not in has]
    if missing and kind != "jsonl":
        raise InputError(
            f"{options.input!r} has no column {missing[0]!r}; it has {', '.join(map(repr, has))}: "
            "use --text-column or --pair-column"
        )
    return dict(zip(output.task.inputs, names, strict=False))


def _place(options: argparse.Namespace, model: Model[Any], shape: Mapping[str, Any]) -> tuple[Any, int | None]:
    """Where the rows go, and about how many there are."""
    if options.output == source.STREAM:
        return source.StreamOutput(sys.stdout.buffer), None
    digest, lines = "", None
    if options.input != source.STREAM:
        zipped = source.is_zipped(options.input)
        digest, lines = source.examine(options.input, counts_lines=not zipped)
    names = ("task", "on_error", "prefix", "tensor", "label", "prompt_name", "dimensions")
    identity = {
        "input": f"sha256:{digest}",
        "model": model.name,
        "versions": model.versions,
        **{name: getattr(options, name) for name in names},
        **shape,
    }
    try:
        place = Journal(Path(options.output), identity, resume=options.resume, overwrite=options.overwrite)
    except OSError as error:
        raise OptionError(f"{options.output!r} cannot be written: {error.strerror}") from error
    return place, lines


def _write(options: argparse.Namespace, asking: Asking, reader: Any, writer: Any, place: Any, total: int | None) -> str:
    started, before = time.monotonic(), place.rows
    bar = tqdm(
        total=total,
        initial=before,
        unit=" rows",
        file=sys.stderr,
        disable=options.no_progress or not sys.stderr.isatty(),
    )
    faults = 0
    blocks = reader.blocks(before, lambda: asking.session.model().limit or ROWS)
    with bar, closing(in_order(asking, blocks, options.in_flight)) as answered:
        for part, error in _marks(answered, options.on_error == "stop", before):
            head = writer.head() if not place.rows else b""
            place.add(sum(len(each.block) for each in part), head + writer.encode(part))
            bar.update(place.rows - bar.n)
            faults += sum(error is not None for each in part for error in each.errors)
            if error:
                raise error
        if not place.rows:
            place.add(0, writer.head())
        place.finish(writer)
    seconds = time.monotonic() - started
    rows = place.rows - before
    after = f", after {before} of an earlier run" if before else ""
    kept = f", {faults} with an error" if faults else ""
    return f"{rows} rows in {seconds:.1f} s ({rows / max(seconds, 1e-9):.0f} rows/s){after}{kept}: {options.output}"


def _marks(
    answered: Iterator[Answered], stops: bool, before: int
) -> Iterator[tuple[list[Answered], ScoreError | ClientError | None]]:
    """The blocks up to each mark of the journal, and the error that ends the run, after the rows before it."""
    part: list[Answered] = []
    rows, size, since = before, 0, time.monotonic()
    while True:
        try:
            each = next(answered, None)
        except ClientError as error:
            yield part, error
            return
        if each is None:
            break
        if stops and any(each.errors):
            place = next(place for place, reason in enumerate(each.errors) if reason)
            reason = f"row {rows + place + 1} has no answer: {each.errors[place]}"
            yield part, RowError(f"{reason}; --on-error keep writes it with the error")
            return
        part.append(each)
        rows += len(each.block)
        size += each.block.size + sum(_size(cell) for cells in each.cells for cell in cells.values())
        if len(part) >= MARK_BLOCKS or size >= MARK_SIZE or time.monotonic() - since >= MARK_SECONDS:
            yield part, None
            part, size, since = [], 0, time.monotonic()
    if part:
        yield part, None


def _size(cell: Any) -> int:
    return len(cell) if isinstance(cell, str | list | tuple) else 1
