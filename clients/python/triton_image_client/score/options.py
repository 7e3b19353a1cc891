"""The command line of `score`."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triton_image_client.score.errors import OptionError
from triton_image_client.score.outputs import OUTPUTS
from triton_image_client.score.source import FORMATS

DESCRIPTION = """Sends each row of INPUT to a served model and writes it with its answer to OUTPUT, in the same order.

CSV, TSV, JSONL (each also .gz) and Parquet, by the names of the files; - is stdin or stdout.
"""
EPILOG = """exit codes: 0 done, 2 usage, 3 input, 4 server, 5 a row without an answer, 130 and 143 interrupted
example: score --server http://127.0.0.1:8000 --model topics texts.csv labels.csv --resume
"""


class Parser(argparse.ArgumentParser):
    """Raises OptionError."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Of argparse."""
        raise OptionError(f"{message}; score --help lists the options")


REPEATED: dict[str, Any] = {"action": "append", "default": []}
FLAG: dict[str, Any] = {"action": "store_true"}
FORMAT: dict[str, Any] = {"choices": FORMATS}
# {heading: {option: (help, what else argparse gets)}}
GROUPS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "model": {
        "--server": ("http://, https://, grpc:// or grpcs://HOST:PORT", {"metavar": "URL", "required": True}),
        "--model": ("served model (default: the only one for the task)", {"default": ""}),
        "--task": (
            f"one of: {', '.join(sorted(OUTPUTS))} (default: %(default)s)",
            {"choices": sorted(OUTPUTS), "default": "text-classification", "metavar": "TASK"},
        ),
        "--tensor": ("name of a tensor that the model calls differently", {**REPEATED, "metavar": "USUAL=NAME"}),
        "--label": ("candidate label of a zero-shot model; may be repeated", REPEATED),
        "--prompt-name": ("of an embedding model", {}),
        "--dimensions": ("of an embedding model", {"type": int}),
    },
    "columns": {
        "--text-column": ("of the text, question or query (default: text, question, query)", {"metavar": "NAME"}),
        "--pair-column": (
            "of the second text (default: text_pair; context of a question, text of a query)",
            {"metavar": "NAME"},
        ),
        "--prefix": ("of the added columns' names", {"default": ""}),
        "--input-format": ("if the name of INPUT does not tell it", FORMAT),
        "--output-format": ("if the name of OUTPUT does not tell it", FORMAT),
    },
    "run": {
        "--resume": ("continue a run that was killed; start it if there is none", FLAG),
        "--overwrite": ("replace OUTPUT and an unfinished run of it", FLAG),
        "--on-error": (
            "keep: rows without an answer are written, the reason in the column error (default: stop)",
            {"choices": ("stop", "keep"), "default": "stop"},
        ),
        "--in-flight": ("requests at a time (default: %(default)s)", {"type": int, "metavar": "N", "default": 8}),
        "--batch": ("rows in a request (default: the server's limit, up to 64)", {"type": int, "metavar": "N"}),
        "--deadline": (
            "how long a request is repeated while the server is not available (default: %(default)g)",
            {"type": float, "metavar": "SECONDS", "default": 300.0},
        ),
        "--no-progress": ("no progress bar; there is one if stderr is a terminal", FLAG),
    },
    "access": {
        "--token-file": ("bearer token (or the variable SCORE_TOKEN)", {"metavar": "FILE", "type": Path}),
        "--header": ("may be repeated", {**REPEATED, "metavar": "NAME:VALUE"}),
        "--ca-file": ("authorities to trust, PEM", {"metavar": "FILE"}),
        "--client-certificate": ("certificate, PEM", {"metavar": "FILE"}),
        "--client-key": ("its key, PEM", {"metavar": "FILE"}),
    },
}


def parser() -> Parser:
    """The options."""
    made = Parser(
        prog="score", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("input", metavar="INPUT")
    made.add_argument("output", metavar="OUTPUT")
    for heading, options in GROUPS.items():
        group = made.add_argument_group(heading)
        for name, (text, more) in options.items():
            group.add_argument(name, help=text, **more)
    return made


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Checked options. OptionError for what cannot be right."""
    options = parser().parse_args(argv)
    streams = "-" in (options.input, options.output)
    if streams and (options.resume or options.overwrite):
        raise OptionError("--resume and --overwrite need two files; a pipe cannot be continued or replaced")
    if options.resume and options.overwrite:
        raise OptionError("--resume continues the files that --overwrite deletes; use one of them")
    if options.output != "-" and Path(options.input).resolve() == Path(options.output).resolve():
        raise OptionError(f"INPUT and OUTPUT are the same file: {options.input!r}")
    if bool(options.client_certificate) != bool(options.client_key):
        raise OptionError("--client-certificate and --client-key are used together")
    if (options.task == "zero-shot-classification") != bool(options.label):
        raise OptionError("--label is for --task zero-shot-classification, which needs at least one")
    if options.pair_column and len(OUTPUTS[options.task].reads) < 2:
        raise OptionError(f"--pair-column is for tasks with two texts; {options.task} has one")
    for name, separator in (("tensor", "="), ("header", ":")):
        for value in getattr(options, name):
            if separator not in value:
                raise OptionError(f"--{name} {value!r} has no {separator!r}")
    return options


def token(options: argparse.Namespace) -> str:
    """The bearer token, from the file or the environment."""
    if not options.token_file:
        return os.environ.get("SCORE_TOKEN", "")
    try:
        return str(options.token_file.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise OptionError(f"--token-file {str(options.token_file)!r} cannot be read: {error.strerror}") from error
