"""Builds and proves the image of a finished build tree: `python -m utils.image BUILD_TREE`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.docker import context as docker_context
from utils.docker.engine import connect
from utils.docker.image import NEEDED, build_and_prove, read_tree
from utils.host import build_tree, entry, progress
from utils.host.errors import ImageError
from utils.host.temporary import temporary_files_in
from utils.repository.context import CONTEXT_FILE, GOLDEN_FILE, Context
from utils.repository.names import check_image

NEEDED_TO_RESUME = (CONTEXT_FILE, GOLDEN_FILE, "model_repository")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line. An empty `image` means the image name in context.json."""

    tree: Path
    no_cache: bool
    verify: bool
    image: str


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options; UsageError for an invalid one."""
    parser = entry.Parser(
        prog="python -m utils.image",
        description="Builds the image of a finished build tree, verifies it in a container and prints its name.",
        epilog="example: python -m utils.image build/topics/v2 --image registry.example.org/topics:v2",
        allow_abbrev=False,
    )
    parser.add_argument("tree", metavar="BUILD_TREE", type=Path, help="a build tree: build/<name>/<tag>")
    parser.add_argument("--no-cache", action="store_true", help="rebuild every layer")
    parser.add_argument("--no-verify", action="store_true", help="skip the boot proof")
    parser.add_argument(
        "--image", metavar="REFERENCE", default="", help="image name (default: the one in context.json)"
    )
    parsed = parser.parse_args(arguments)
    image = check_image("--image", parsed.image) if parsed.image else ""
    return Options(tree=parsed.tree.resolve(), no_cache=parsed.no_cache, verify=not parsed.no_verify, image=image)


def run(options: Options) -> str:
    """Runs the stage and returns the image reference. A tree in build/.unfinished is moved into place afterwards."""
    context = read_tree(options.tree, NEEDED_TO_RESUME)
    with build_tree.locked(options.tree):
        with temporary_files_in(options.tree):
            engine = connect()
            _complete(options, context)
            build_and_prove(
                options.tree,
                engine=engine,
                no_cache=options.no_cache,
                verify=options.verify,
                reference=options.image,
            )
        if place := build_tree.place_of(options.tree):
            build_tree.move_into_place(options.tree, place)
            progress.note(f"build tree moved to {place}")
    return options.image or context.image


def _complete(options: Options, context: Context) -> None:
    """Writes the files that a build which failed at its wheels did not write."""
    if any(not (options.tree / name).exists() for name in NEEDED) or not list(options.tree.glob("wheelhouse/*.whl")):
        with progress.stage("serving wheels", ImageError):
            docker_context.write(options.tree, context.docker, context.requirements, refresh=options.no_cache)


if __name__ == "__main__":
    entry.run(lambda: run(parse_arguments(sys.argv[1:])))
