"""--eval-file: texts with their right labels, in TSV, CSV or JSONL. Standard library only."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.convert.types import Text
from utils.host.errors import SourceError

FORMS: dict[str, dict[str, Any]] = {".tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE}, ".csv": {}}
LABEL = "label"


@dataclass(frozen=True, kw_only=True)
class LabelledText:
    """`label`: the index of the right label."""

    text: Text
    label: int


def read_labelled_texts(file: Path, inputs: Sequence[str], labels: Sequence[str]) -> tuple[LabelledText, ...]:
    """The rows of `file`, each the `inputs` and a label; SourceError for the first bad row.

    .tsv and .csv have the columns in that order, or the label where a first line says "label". In .jsonl each line is
    an object with those names. A label is one of `labels`, or its number.
    """
    try:
        rows = list(_rows(file, inputs))
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"--eval-file {str(file)!r} cannot be read ({error}); save it as UTF-8") from error
    if not rows:
        raise SourceError(f"--eval-file {str(file)!r} holds no texts; give at least one with its label")
    return tuple(_labelled(file, number, row, inputs, labels) for number, row in rows)


def _rows(file: Path, inputs: Sequence[str]) -> Iterator[tuple[int, list[object]]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        if file.suffix.lower() == ".jsonl":
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    values = json.loads(line)
                    yield number, [values.get(name) for name in (*inputs, LABEL)] if isinstance(values, dict) else []
            return
        if file.suffix.lower() not in FORMS:
            raise ValueError(f"its name ends in none of {', '.join((*FORMS, '.jsonl'))}")
        reader = csv.reader(stream, **FORMS[file.suffix.lower()])
        place = -1
        for number, row in enumerate(filter(None, reader)):
            if number == 0 and LABEL in row:
                place = row.index(LABEL)
                continue
            label = row.pop(min(place, len(row) - 1))
            yield reader.line_num, [*row, label]


def _labelled(file: Path, number: int, row: list[object], inputs: Sequence[str], labels: Sequence[str]) -> LabelledText:
    *texts, label = row or [None]
    if len(texts) != len(inputs) or not all(isinstance(text, str) for text in texts):
        raise SourceError(f"--eval-file {str(file)!r} line {number} must hold {', '.join(inputs)} and label")
    known = {**{str(place): place for place in range(len(labels))}, **{text: at for at, text in enumerate(labels)}}
    if str(label) not in known:
        raise SourceError(
            f"--eval-file {str(file)!r} line {number} has the label {str(label)[:60]!r}, which is not one "
            f"of the model's: {', '.join(labels[:10])}"
        )
    given = [str(text) for text in texts]
    pair = len(given) > 1 and given[1]
    return LabelledText(text=(given[0], given[1]) if pair else given[0], label=known[str(label)])
