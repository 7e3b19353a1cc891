"""--calibration-file of a build: texts without answers, from which the scales of an int8 graph are fixed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from utils.evaluation.records import digest_of, read_records
from utils.host.errors import SourceError

OPTION = "--calibration-file"


@dataclass(frozen=True, kw_only=True)
class CalibrationFile:
    """`inputs`: of the task. `digest`: of the file's content, as it was first read."""

    file: Path
    inputs: tuple[str, ...]
    digest: str

    def examples(self) -> tuple[tuple[int, Mapping[str, str]], ...]:
        """(line, {input: text}) of all lines; SourceError for a wrong one, and for a file that has changed since."""
        if digest_of(self.file, OPTION) != self.digest:
            raise SourceError(f"{OPTION} {str(self.file)!r} changed during the build; run the build again")
        records = read_records(self.file, self.inputs, option=OPTION)
        examples = tuple((record.line, {name: record.text(name) for name in self.inputs}) for record in records)
        if not examples:
            raise SourceError(f"{OPTION} {str(self.file)!r} holds no texts; give some hundred of those that are served")
        return examples
