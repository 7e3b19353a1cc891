"""--eval-file of a build: which file, how its lines are read, and its rows."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from utils.evaluation.kind import EvalRow, Kind
from utils.evaluation.kinds import KINDS
from utils.evaluation.records import digest_of, read_records
from utils.host.errors import SourceError


@dataclass(frozen=True, kw_only=True)
class EvalFile:
    """`kind_name`: a row of kinds.py. `inputs`: of the task. `digest`: of the file's content, as it was first read."""

    file: Path
    kind_name: str
    inputs: tuple[str, ...]
    labels: tuple[str, ...]
    digest: str

    @property
    def kind(self) -> Kind:
        """The row."""
        return KINDS[self.kind_name]

    def rows(self) -> tuple[EvalRow, ...]:
        """All rows; SourceError for the first line that is wrong, and for a file that has changed since."""
        return _rows(self)


@lru_cache(maxsize=1)
def _rows(source: EvalFile) -> tuple[EvalRow, ...]:
    """Read once in a build, whose stages ask again and again."""
    if digest_of(source.file) != source.digest:
        raise SourceError(f"--eval-file {str(source.file)!r} changed during the build; run the build again")
    kind = source.kind
    records = read_records(source.file, (*source.inputs, *kind.further, kind.right), kind.suffixes)
    rows = tuple(kind.read(record, source.inputs, source.labels) for record in records)
    if not rows:
        raise SourceError(f"--eval-file {str(source.file)!r} holds no texts; give at least one with its right answer")
    return rows
