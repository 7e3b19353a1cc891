"""Rows of files written for a test."""

from pathlib import Path
from typing import Any

from utils.evaluation.eval_file import EvalFile
from utils.evaluation.records import digest_of

TEXT, PAIR, QUESTION = ("text_input",), ("text_input", "text_pair"), ("question", "context")


def read(
    folder: Path,
    name: str,
    content: bytes | str,
    kind: str,
    inputs: tuple[str, ...] = TEXT,
    labels: tuple[str, ...] = ("sport", "weather"),
) -> Any:
    """The rows of a file with this content."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return EvalFile(file=file, kind_name=kind, inputs=inputs, labels=labels, digest=digest_of(file)).rows()
