"""Renders and assembles a model repository from a context.json: stage 6 alone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.host import entry


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """context: an existing context.json; output: the folder for model_repository/."""
    parser = entry.Parser(
        prog="process_template.sh",
        description="Writes OUTPUT_DIR/model_repository from CONTEXT_JSON and the templates of model_repository/.",
        epilog="example: ./process_template.sh build/topics/v1/context.json /tmp/again",
    )
    parser.add_argument("context", metavar="CONTEXT_JSON", type=Path, help="the context.json of a build tree")
    parser.add_argument("output", metavar="OUTPUT_DIR", type=Path, help="folder to write to; created if missing")
    return parser.parse_args(argv)


def process(argv: Sequence[str]) -> str:
    """Writes the model repository and returns its path."""
    arguments = parse_arguments(argv)
    from utils.repository.assemble import assemble
    from utils.repository.context import read_context

    context = read_context(arguments.context)
    return str(assemble(context.pipeline, arguments.output / "model_repository"))


if __name__ == "__main__":
    entry.run(lambda: process(sys.argv[1:]))
