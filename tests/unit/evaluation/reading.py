"""Rows of files written for a test."""

from utils.evaluation.eval_file import EvalFile
from utils.evaluation.records import digest_of

TEXT, PAIR, QUESTION = ("text_input",), ("text_input", "text_pair"), ("question", "context")


def read(folder, name, content, kind, inputs=TEXT, labels=("sport", "weather")):
    """The rows of a file with this content."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return EvalFile(file=file, kind_name=kind, inputs=inputs, labels=labels, digest=digest_of(file)).rows()
