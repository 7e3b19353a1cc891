"""The unfinished output, and the journal that tells how much of it counts.

OUTPUT.part has the bytes of the rows so far, OUTPUT.journal a line for each time that they were safe on disk: first the
rows are written and synced, then the line. After a kill, even of the machine, the part is cut to the last whole line of
the journal: no row is lost, none is there twice. At the end the part becomes OUTPUT.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from triton_image_client.score.errors import OptionError


class Journal:
    """Of one output file. `rows`: how many rows of the input are in it."""

    def __init__(self, output: Path, identity: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """`identity`: what must be the same to resume. OptionError if files of another run are in the way."""
        self.output = output
        self.part, self.path = (output.with_name(f"{output.name}.{kind}") for kind in ("part", "journal"))
        self.rows, self._size = 0, 0
        self.is_finished = False
        self._rows_file: BinaryIO | None = None
        self._file = self.path.open("a+b")
        _lock(self._file, self.path)
        if overwrite:
            for file in (output, self.part):
                file.unlink(missing_ok=True)
            self._file.truncate(0)
        try:
            self._open(identity, resume=resume)
        except OptionError:
            self._file.close()
            raise

    def _open(self, identity: Mapping[str, Any], *, resume: bool) -> None:
        lines = self._lines()
        if lines and not resume:
            raise OptionError(f"{str(self.path)!r} is of an unfinished run; use --resume, or --overwrite to start anew")
        if lines:
            self._continue(lines, identity)
        elif self.output.exists():
            self.path.unlink()
            raise OptionError(f"{str(self.output)!r} exists; use --overwrite to replace it")
        else:
            self.part.write_bytes(b"")
            self._write(identity)
            _sync(self.path.parent)
        if not self.is_finished:
            self._rows_file = self.part.open("r+b")

    def _lines(self) -> list[dict[str, Any]]:
        """Whole ones. The last can be torn: it is cut."""
        self._file.seek(0)
        lines, size = [], 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            lines.append(json.loads(line))
            size += len(line)
        self._file.truncate(size)
        return lines

    def _continue(self, lines: list[dict[str, Any]], identity: Mapping[str, Any]) -> None:
        before, marks = lines[0], lines[1:]
        changed = [name for name in identity if before.get(name) != json.loads(_line({name: identity[name]}))[name]]
        if changed:
            shown = ", ".join(f"{name} was {before.get(name)!r}, is {identity[name]!r}" for name in changed)
            raise OptionError(f"{str(self.path)!r} is of another run ({shown}); --overwrite starts anew")
        if marks:
            self.rows, self._size = marks[-1]["rows"], marks[-1]["bytes"]
        size = self.part.stat().st_size if self.part.exists() else None
        if size is None and self.output.exists():
            self.is_finished = True  # killed between the last two steps
        elif size is None or size < self._size:
            raise OptionError(
                f"{str(self.part)!r} has {size or 0} bytes, its journal says {self._size}; --overwrite starts anew"
            )

    def add(self, rows: int, content: bytes) -> None:
        """Appends the bytes of `rows` rows. When it returns they are safe."""
        assert self._rows_file
        self._rows_file.seek(self._size)
        self._rows_file.truncate()
        self._rows_file.write(content)
        self._rows_file.flush()
        os.fsync(self._rows_file.fileno())
        mark = {"rows": self.rows + rows, "bytes": self._size + len(content)}
        self._write(mark)
        self.rows, self._size = mark["rows"], mark["bytes"]

    def _write(self, values: Mapping[str, Any]) -> None:
        self._file.write(_line(values))
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self, writer: Any) -> None:
        """Gives the output its name. Bytes after the last line of the journal are cut before."""
        if self._rows_file:
            self._rows_file.truncate(self._size)
            os.fsync(self._rows_file.fileno())
            writer.finish(self.part, self.output)
            _sync(self.output)
            _sync(self.output.parent)
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Ends the lock. What was added stays."""
        if self._rows_file:
            self._rows_file.close()
        self._file.close()


def _line(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode(errors="replace") + b"\n"


def _lock(file: BinaryIO, path: Path) -> None:
    """Held until the file is closed, by a kill too."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise OptionError(f"{str(path)!r} is in use: another score writes this output") from error


def _sync(path: Path) -> None:
    """A file, or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
