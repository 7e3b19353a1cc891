"""Stage 8: builds the image of a build tree and proves it in a container."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from utils.docker import context as docker_context
from utils.docker.engine import Engine, untagged
from utils.docker.measured import write_peak_memory
from utils.host import progress
from utils.host.errors import BootProofError, ImageError, UsageError
from utils.repository.context import CONTEXT_FILE, GOLDEN_FILE, Context, read_context
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
LOG_LINES = 40

Prove = Callable[[ServerAddress], object]


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
            write_peak_memory(tree, _prove(engine, image_id, options, prove or _golden_proof(tree, context)))
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


def _prove(engine: Engine, image_id: str, options: Sequence[str], prove: Prove) -> int | None:
    """Returns the largest memory of the container in bytes."""
    with progress.stage("boot proof", BootProofError), engine.run(image_id, options=options) as container:
        try:
            proven = prove(container.address)
        except BootProofError:
            lines = container.log_text().splitlines()[-LOG_LINES:]
            print("last lines of the server's log:", *lines, sep="\n  ", file=sys.stderr)
            raise
        if proven:
            progress.note(str(proven))
        return container.peak_memory()


def _golden_proof(tree: Path, context: Context) -> Prove:
    from utils.proof import verify  # imports the inference clients, which only a proof needs

    return lambda address: verify.prove(address, tree / GOLDEN_FILE, context.pipeline)
