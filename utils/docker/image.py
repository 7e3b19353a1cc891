"""Stage 8: builds the image of a build tree and proves it in a container."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.supervisor.settings import Settings
from utils.docker import context as docker_context
from utils.docker import wheelhouse
from utils.docker.engine import Engine, untagged
from utils.host import progress
from utils.host.errors import BootProofError, ImageError, UsageError
from utils.proof import measured
from utils.repository import build_record
from utils.repository.accelerators import ENGINES_FOLDER
from utils.repository.context import CONTEXT_FILE, GOLDEN_FILE, Context, read_context
from utils.targets.runtimes import RUNTIMES
from utils.triton.address import ServerAddress

NEEDED = (
    CONTEXT_FILE,
    GOLDEN_FILE,
    "model_repository",
    docker_context.WHEELHOUSE,
    docker_context.WEIGHTS,
    docker_context.OPTIONAL_CODE,
    docker_context.OPTIONAL_SETTINGS,
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
    context: Context | None = None,
    cache_options: Sequence[str] = (),
) -> str:
    """Builds the image, proves it in a container, then tags it. Returns the image's id.

    `context` replaces that of context.json. `prove` raises BootProofError for a wrong answer; by default it sends the
    golden requests of the tree. After a BootProofError or ImageError the new image is removed, and the tag stays on the
    previous one.
    """
    context = context or read_tree(tree)
    wheelhouse.require_unchanged(tree / docker_context.WHEELHOUSE, tree / docker_context.SERVING_REQUIREMENTS)
    build_record.add(tree, proof=None)
    plan = context.docker
    build_args = docker_context.build_args(**{name: plan[name] for name in ("triton_image", "slim_image", "runtime")})
    for image in dict.fromkeys([build_args["TRITON_IMAGE"], build_args["SLIM_IMAGE"]]):
        engine.pull_if_missing(image)
    options = [*(["--platform", plan["platform"]] if "platform" in plan else []), *cache_options]
    with progress.stage("docker build", ImageError):
        image_id = engine.build(
            tree, build_args=build_args, labels=context.oci_labels, no_cache=no_cache, options=options
        )
    progress.note(f"{engine.image_size(image_id) / 1e6:.0f} MB")
    with untagged(engine, image_id):
        if verify:
            measured.add(tree, **_prove(engine, image_id, context, prove or _golden_proof(tree, context)))
        engine.tag(image_id, context.image)
    return image_id


def build_and_prove_each(
    tree: Path,
    *,
    engine: Engine,
    no_cache: bool,
    verify: bool,
    prove: Prove | None = None,
    reference: str = "",
    cache_options: Sequence[str] = (),
) -> dict[str, str]:
    """The proven images' ids by platform ("linux/amd64"); one, unless context.json has further platforms.

    `reference` replaces the image's name in context.json. Images of further platforms are tagged with their
    architecture (`name:v1-arm64`), because the engine holds one image under a tag. The tree ends as the build context
    of the first platform.
    """
    context = read_tree(tree)
    images = {}
    for plan in (*context.further, context.docker):
        image = reference or context.image
        if plan is not context.docker:
            image += f"-{plan['platform'].partition('/')[2]}"
        if context.further:
            progress.note(f"platform {plan['platform']}")
            with progress.stage("serving wheels", ImageError):
                docker_context.write(tree, plan, context.requirements, refresh=no_cache)
        image_id = build_and_prove(
            tree,
            engine=engine,
            no_cache=no_cache,
            verify=verify,
            prove=prove,
            context=replace(context, image=image, docker=plan),
            cache_options=cache_options,
        )
        images[engine.platform(image_id)] = image_id
    return images


def read_tree(tree: Path, needed: Sequence[str] = NEEDED) -> Context:
    """The context of a complete build tree; UsageError naming the `needed` files it lacks."""
    missing = [name for name in needed if not (tree / name).exists()]
    if missing:
        raise UsageError(
            f"BUILD_TREE {str(tree)!r} lacks {', '.join(missing)}; name build/<name>/<tag> of a finished build"
        )
    return read_context(tree / CONTEXT_FILE)


def _prove(engine: Engine, image_id: str, context: Context, prove: Prove) -> dict[str, Any]:
    """Returns what was measured of the container: see Measured."""
    options, limits = RUNTIMES[context.device].run_options, {}
    if context.pipeline.builds_engines:
        options = (*options, "--tmpfs", ENGINES_FOLDER)
        limits = {"ready_within": Settings.start_seconds}
    running = engine.run(image_id, options=options, has_api=bool(context.api), **limits)
    with progress.stage("boot proof", BootProofError), running as container:
        try:
            proven = prove(container.address)
        except BootProofError:
            lines = container.log_text().splitlines()[-LOG_LINES:]
            print("last lines of the server's log:", *lines, sep="\n  ", file=sys.stderr)
            raise
        if proven:
            progress.note(str(proven))
        return {"peak_memory_bytes": container.peak_memory(), "ready_seconds": container.ready_seconds}


def _golden_proof(tree: Path, context: Context) -> Prove:
    from utils.proof import verify  # imports the inference clients, which only a proof needs

    return lambda address: verify.prove_and_record(address, tree, context.pipeline)
