"""Stage 8: builds the image of a build tree and proves it. `python -m utils.docker.image BUILD_TREE` runs it alone."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.docker import context as docker_context
from utils.docker.engine import Engine, connect, untagged
from utils.host import build_tree, entry, progress
from utils.host.errors import BootProofError, ImageError, UsageError
from utils.host.temporary import temporary_files_in
from utils.repository.context import CONTEXT_FILE, GOLDEN_FILE, Context, read_context
from utils.repository.names import check_image
from utils.targets.runtimes import RUNTIMES
from utils.triton.address import ServerAddress

NEEDED = (
    CONTEXT_FILE,
    GOLDEN_FILE,
    "model_repository",
    docker_context.WHEELHOUSE,
    docker_context.WEIGHTS,
    *docker_context.FILES,
)
NEEDED_TO_RESUME = (CONTEXT_FILE, GOLDEN_FILE, "model_repository")
LOG_LINES = 40

Prove = Callable[[ServerAddress], object]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line. An empty `image` means the image name in context.json."""

    tree: Path
    no_cache: bool
    verify: bool
    image: str


def build_and_prove(
    tree: Path,
    *,
    engine: Engine,
    no_cache: bool,
    verify: bool,
    prove: Prove | None = None,
    reference: str = "",
) -> str:
    """Builds the image, proves it in a container, then tags it. Returns the image's id.

    `reference` overrides the tag in context.json. `prove` raises BootProofError for a wrong answer; by default it sends
    the golden requests of the tree. After a BootProofError or ImageError the new image is removed, and the tag stays on
    the previous one.
    """
    context = read_tree(tree)
    bases = {name: context.docker[name] for name in ("triton_image", "slim_image", "runtime")}
    build_args = docker_context.build_args(**bases)
    for image in dict.fromkeys([build_args["TRITON_IMAGE"], build_args["SLIM_IMAGE"]]):
        engine.pull_if_missing(image)
    with progress.stage("docker build", ImageError):
        image_id = engine.build(tree, build_args=build_args, labels=context.oci_labels, no_cache=no_cache)
    progress.note(f"{engine.image_size(image_id) / 1e6:.0f} MB")
    with untagged(engine, image_id):
        if verify:
            options = RUNTIMES[context.device].run_options
            _prove(engine, image_id, options, prove or _golden_proof(tree, context))
        engine.tag(image_id, reference or context.image)
    return image_id


def read_tree(tree: Path, needed: Sequence[str] = NEEDED) -> Context:
    """The context of a complete build tree; UsageError naming the `needed` files it lacks."""
    missing = [name for name in needed if not (tree / name).exists()]
    if missing:
        raise UsageError(
            f"BUILD_TREE {str(tree)!r} lacks {', '.join(missing)}; name build/<name>/<tag> of a finished build"
        )
    return read_context(tree / CONTEXT_FILE)


def _prove(engine: Engine, image_id: str, options: Sequence[str], prove: Prove) -> None:
    with progress.stage("boot proof", BootProofError), engine.run(image_id, options=options) as container:
        try:
            proven = prove(container.address)
        except BootProofError:
            lines = container.log_text().splitlines()[-LOG_LINES:]
            print("last lines of the server's log:", *lines, sep="\n  ", file=sys.stderr)
            raise
        if proven:
            progress.note(str(proven))


def _golden_proof(tree: Path, context: Context) -> Prove:
    from utils.proof import verify  # imports the inference clients, which only a proof needs

    return lambda address: verify.prove(address, tree / GOLDEN_FILE, context.pipeline)


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options; UsageError for an invalid one."""
    parser = entry.Parser(
        prog="python -m utils.docker.image",
        description="Builds the image of a finished build tree, verifies it in a container and prints its name.",
        epilog="example: python -m utils.docker.image build/topics/v2 --image registry.example.org/topics:v2",
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
