"""Stages 7 and 8: proves a written tree, builds its image unless --no-image, and moves the tree into place."""

import contextlib
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from utils import ROOT
from utils.docker import context as docker_context
from utils.docker.engine import Engine
from utils.docker.image import build_and_prove_each
from utils.factory.observed import observe
from utils.factory.publish import Proven, publish
from utils.host import build_tree, temporary
from utils.host.build_tree import BuildTree
from utils.host.errors import BootProofError, ImageError, RenderError
from utils.host.exceptions import raised_as
from utils.host.installed import COMMANDS, INSTALLED
from utils.host.progress import note, stage, warn
from utils.options.build_spec import BuildSpec
from utils.proof import measured
from utils.proof.golden_file import read_golden
from utils.proof.latency import measure_and_record
from utils.proof.verify import prove_and_record
from utils.report.files import PAGE_FILE, keep_warnings
from utils.report.run import commands
from utils.repository.context import API_FILE, GOLDEN_FILE, Context
from utils.triton.address import ServerAddress
from utils.triton.api import serve_api
from utils.triton.server import read_settings, serve


@dataclass(frozen=True, kw_only=True)
class Result:
    """The build tree at its final place, and the images' ids by platform (none with --no-image).

    `reference`: `registry/name@sha256:...` of what was pushed.
    """

    place: Path
    images: Mapping[str, str] = field(default_factory=dict)
    reference: str | None = None


def prove_and_publish(spec: BuildSpec, context: Context, engine: Engine | None, tree: BuildTree) -> Result:
    """Proves, publishes, moves into place. If only the image or the push fails, the tree is kept to continue from."""
    if spec.output.no_verify:
        warn("--no-verify: the boot proof was skipped; the answers are not proven")
    keep_warnings(tree.folder)
    if engine is None:
        _prove_repository(spec, context, tree)
        publish(Proven(tree=tree.folder, place=tree.final, context=context), spec.output.publication, None)
        return Result(place=_place(tree, tree.final))
    try:
        _write_docker_context(spec, context, tree)
        images = _build_images(spec, context, engine, tree)
    except (ImageError, BootProofError):
        kept = _place(tree, tree.unfinished)
        note(f"the finished model repository is kept; continue with: {command_to_continue(spec, kept)}")
        raise
    try:
        proven = Proven(tree=tree.folder, place=tree.final, context=context, image=context.image, images=images)
        reference = publish(proven, spec.output.publication, engine)
    except BaseException:  # an interrupted push too: the image has its tag on the engine already
        kept = _place(tree, tree.final)
        note(f"the proven image {context.image} is kept; continue with: {command_to_continue(spec, kept)}")
        raise
    place = _place(tree, tree.final)
    build_tree.discard(tree.unfinished)  # left by an earlier failure, now outdated
    return Result(place=place, images=images, reference=reference)


def _prove_repository(spec: BuildSpec, context: Context, tree: BuildTree) -> None:
    try:
        _write_docker_context(spec, context, tree)
    except ImageError as error:
        warn(f"{error}; the model repository is complete, but `docker build` on this tree will fail without its wheels")
    if not spec.output.no_verify:
        with stage("boot proof", BootProofError):
            prove_locally(context, tree.folder, _proof(spec, context, tree.folder))


def _write_docker_context(spec: BuildSpec, context: Context, tree: BuildTree) -> None:
    with stage("serving wheels", ImageError):
        docker_context.write(tree.folder, context.docker, context.requirements, refresh=spec.output.no_cache)


def _build_images(spec: BuildSpec, context: Context, engine: Engine, tree: BuildTree) -> dict[str, str]:
    return build_and_prove_each(
        tree.folder,
        engine=engine,
        no_cache=spec.output.no_cache,
        verify=not spec.output.no_verify,
        reference=context.image,
        cache_options=spec.output.publication.cache_options(engine.client.builder),
        prove=_proof(spec, context, tree.folder),
    )


def _proof(spec: BuildSpec, context: Context, folder: Path) -> Callable[[ServerAddress], None]:
    further = partial(observe, spec, context, folder)
    return proof_of(context, folder, measure=not spec.output.no_measure, further=further)


def proof_of(
    context: Context,
    folder: Path,
    *,
    measure: bool,
    further: Callable[[ServerAddress], None] = lambda _: None,
) -> Callable[[ServerAddress], None]:
    """Compares a server's answers with the golden ones; then calls `further`, and measures the latency."""

    def proven(address: ServerAddress) -> None:
        note(str(prove_and_record(address, folder, context.pipeline)))
        further(address)
        if measure:
            measure_and_record(address, folder, context.pipeline)

    return proven


def prove_locally(context: Context, folder: Path, prove: Callable[[ServerAddress], None] | None = None) -> None:
    """The proof without Docker, on the Triton from PyPI; `prove`: by default the golden requests.

    Raises BootProofError.
    """
    repository = folder / "model_repository"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serve(repository, log=folder / "server.log"))
        address = server.address
        if context.api:
            limits = replace(read_settings(), api_address="127.0.0.1", api_port=0, api_keys_file="")
            address = stack.enter_context(serve_api(folder / API_FILE, repository, address, limits))
        (prove or proof_of(context, folder, measure=False))(address)
        measured.add(folder, ready_seconds=server.ready_seconds)


def _place(tree: BuildTree, destination: Path) -> Path:
    shutil.rmtree(tree.folder / temporary.FOLDER, ignore_errors=True)
    with raised_as(RenderError):
        return build_tree.move_into_place(tree.folder, destination)


def command_to_continue(spec: BuildSpec, kept: Path) -> str:
    """The command that builds and proves the image of a kept tree; works from any folder."""
    options = [*(["--no-cache"] if spec.output.no_cache else []), *(["--no-verify"] if spec.output.no_verify else [])]
    options += ["--no-measure"] if spec.output.no_measure else []
    options += spec.output.publication.as_options()
    command = shlex.join([sys.executable, str(ROOT / "utils" / "launch.py"), "utils.image", str(kept), *options])
    # An installed package takes build/ of the current folder.
    return f"{shlex.join(['cd', str(build_tree.BUILD.parent)])} && {command}" if INSTALLED else command


def print_next_steps(spec: BuildSpec, place: Path, image: str) -> None:
    """Prints where the report is, how to serve the result, and a first request."""
    steps = commands(
        read_golden(place / GOLDEN_FILE).rows,
        device=spec.target.device,
        place=place,
        serve=COMMANDS["serve.sh"] if INSTALLED else str(ROOT / "serve.sh"),
        image="" if spec.output.no_image else image,
        has_api=bool(spec.output.api),
    )
    note(f"report: {place / PAGE_FILE}")
    note("\n  ".join(["next:", *(step.command for step in steps)]))
