"""Builds and proves the image of a finished build tree: `python -m utils.image BUILD_TREE`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from utils.docker import context as docker_context
from utils.docker.engine import connect
from utils.docker.image import NEEDED, build_and_prove_each, read_tree
from utils.factory.prove_and_publish import proof_of
from utils.factory.publish import Proven, publish, require_key, require_target
from utils.host import build_tree, entry, progress
from utils.host.errors import ImageError
from utils.host.temporary import temporary_files_in
from utils.options.command_line import PUSH, add_options
from utils.options.publication import Publication, parse_publication, require_registry, with_tag
from utils.report.files import remove_report
from utils.repository.context import CONTEXT_FILE, GOLDEN_FILE, Context
from utils.repository.names import check_image

NEEDED_TO_RESUME = (CONTEXT_FILE, GOLDEN_FILE, "model_repository")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line. An empty `image` means the image name in context.json."""

    tree: Path
    no_cache: bool
    verify: bool
    measure: bool
    image: str
    publication: Publication = field(default_factory=Publication)


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options; UsageError for an invalid one."""
    parser = entry.Parser(
        prog="python -m utils.image",
        description="Builds the image of a finished build tree, verifies it in a container and prints its name. "
        "With --push it also pushes the image, and prints its digest.",
        epilog="example: python -m utils.image build/topics/v2 --image registry.example.org/topics:v2",
        allow_abbrev=False,
    )
    parser.add_argument("tree", metavar="BUILD_TREE", type=Path, help="a build tree: build/<name>/<tag>")
    parser.add_argument("--no-cache", action="store_true", help="rebuild every layer")
    parser.add_argument("--no-verify", action="store_true", help="skip the boot proof")
    parser.add_argument("--no-measure", action="store_true", help="do not measure the latency after the boot proof")
    parser.add_argument(
        "--image", metavar="REFERENCE", default="", help="image name (default: the one in context.json)"
    )
    add_options(parser, PUSH)
    parsed = parser.parse_args(arguments)
    image = check_image("--image", parsed.image) if parsed.image else ""
    publication = parse_publication({name: value for name, value in vars(parsed).items() if value not in (None, False)})
    return Options(
        tree=parsed.tree.resolve(),
        no_cache=parsed.no_cache,
        verify=not parsed.no_verify,
        measure=not parsed.no_measure,
        image=image,
        publication=publication,
    )


def run(options: Options) -> str:
    """Runs the stage and returns the image reference. A tree in build/.unfinished is moved into place afterwards."""
    context = read_tree(options.tree, NEEDED_TO_RESUME)
    image = with_tag(options.image or context.image)
    require_registry(options.publication, image)
    require_key(options.publication)
    proven = False
    with build_tree.locked(options.tree):
        try:
            with temporary_files_in(options.tree):
                engine = connect()
                require_target(options.publication, image, engine, again=True)
                remove_report(options.tree)
                _complete(options, context)
                images = build_and_prove_each(
                    options.tree,
                    engine=engine,
                    no_cache=options.no_cache,
                    verify=options.verify,
                    reference=image,
                    prove=proof_of(context, options.tree, measure=options.measure),
                    cache_options=options.publication.cache_options(engine.client.builder),
                )
                proven = True
                final = build_tree.place_of(options.tree) or options.tree
                built = Proven(tree=options.tree, place=final, context=context, image=image, images=images)
                reference = publish(built, options.publication, engine)
        finally:
            if proven and (place := build_tree.place_of(options.tree)):
                build_tree.move_into_place(options.tree, place)
                progress.note(f"build tree moved to {place}")
    return reference or image


def _complete(options: Options, context: Context) -> None:
    """Writes the files that a build which failed at its wheels did not write."""
    if any(not (options.tree / name).exists() for name in NEEDED) or not list(options.tree.glob("wheelhouse/*.whl")):
        with progress.stage("serving wheels", ImageError):
            docker_context.write(options.tree, context.docker, context.requirements, refresh=options.no_cache)


if __name__ == "__main__":
    entry.run(lambda: run(parse_arguments(sys.argv[1:])))
