"""The main entry: chains the stages, from arguments to a proven image or model repository."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import build_spec, entry
from utils.build_spec import BuildSpec
from utils.build_tree import BuildTree, open_build_tree
from utils.context import Context, write_context
from utils.disk import require_room
from utils.errors import ExportError, ImageError, RenderError, SourceError
from utils.finish import finish, say_next_steps
from utils.golden import write_golden
from utils.golden_answers import golden_answers
from utils.plan import as_text, describe, docker_plan, oci_labels, served_pipeline, settle, warn_of_old_release
from utils.progress import note, stage
from utils.sources import Metadata, fetch_metadata, fetch_model, require_local
from utils.tasks.task import Settings
from utils.temporary import temporary_files_in

if TYPE_CHECKING:
    from utils.convert_to_onnx import Conversion
    from utils.docker_engine import Engine


def parse_arguments(argv: Sequence[str]) -> BuildSpec:
    """What `argv` asks for, as far as it can be checked without any package installed."""
    spec = build_spec.parse_arguments(argv)
    require_local(spec.sources)
    return spec


def make_triton_image(argv: Sequence[str]) -> str:
    """Runs the build that `argv` asks for; returns the line (or the plan, or the JSON object) for stdout."""
    spec = parse_arguments(argv)
    started = time.monotonic()
    if spec.dry_run:
        return _dry_run(spec)
    if spec.release_reason:
        note(spec.release_reason)
    warn_of_old_release(spec)
    with open_build_tree(spec.model_name, spec.tag) as tree, temporary_files_in(tree.folder):
        result = _build(spec, tree)
    result["seconds"] = round(time.monotonic() - started, 1)
    return json.dumps(result, ensure_ascii=False) if spec.json else str(result["image"] or result["model_repository"])


def _build(spec: BuildSpec, tree: BuildTree) -> dict[str, Any]:
    engine = _connect(spec)
    engine_root = engine.root_folder() if engine else None
    downloads = tree.folder / "downloads"
    with stage("references", SourceError):
        metadata = fetch_metadata(spec.sources, downloads)
        settings = settle(spec, metadata)
    require_room(metadata.config.file.parent, tree.folder, engine_root)  # the weights of a local model lie there
    with stage("base images", ImageError):
        docker = docker_plan(spec, engine)
    with stage("weights", SourceError):
        model_folder = fetch_model(spec.sources, metadata, downloads)
    require_room(model_folder, tree.folder, engine_root)
    with stage("convert", ExportError):
        conversion = _convert(spec, metadata, settings, model_folder, tree.folder / "artifacts")
    with stage("render and assemble", RenderError):
        context = _write_tree(spec, metadata, settings, conversion, docker, tree.folder)
    shutil.rmtree(downloads, ignore_errors=True)
    place, image_id = finish(spec, context, engine, tree)
    say_next_steps(spec, place)
    return {
        "image": None if spec.no_image else spec.image,
        "image_id": image_id,
        "model_repository": str(place / "model_repository"),
        "build_tree": str(place),
        **describe(spec, metadata, settings, context.pipeline, docker),
    }


def _connect(spec: BuildSpec) -> "Engine | None":
    """The Docker engine, found before anything slow runs; None when no image is wanted."""
    if spec.no_image:
        return None
    from utils.docker_engine import connect

    return connect()


def _convert(
    spec: BuildSpec, metadata: Metadata, settings: Settings, model_folder: Path, destination: Path
) -> "Conversion":
    from utils.convert_to_onnx import Wanted, convert

    wanted = Wanted(
        task=spec.task,
        release=spec.release,
        max_batch_size=spec.max_batch_size,
        max_length=spec.max_length,
        form=spec.form,
        labels=metadata.label_texts,
        settings=settings,
    )
    return convert(model_folder, metadata.tokenizer.path, destination, wanted)


def _write_tree(
    spec: BuildSpec,
    metadata: Metadata,
    settings: Settings,
    conversion: "Conversion",
    docker: dict[str, str],
    folder: Path,
) -> Context:
    """context.json, golden.json and the model repository."""
    from utils.assemble import assemble

    frozen = conversion.tokenizer
    pipeline = served_pipeline(
        spec, metadata, settings, conversion.graph, tokenizer_file=frozen.file, tokenization=frozen.settings
    )
    labels = oci_labels(spec, metadata)
    context = Context(pipeline=pipeline, image=spec.image, device=spec.device, docker=docker, oci_labels=labels)
    write_context(context, folder)
    write_golden(golden_answers(spec, settings, conversion, pipeline), folder)
    assemble(pipeline, folder / "model_repository")
    return context


def _dry_run(spec: BuildSpec) -> str:
    """The plan; small files of remote references go to a folder that is gone afterwards."""
    from utils.convert_to_onnx import predict

    with tempfile.TemporaryDirectory() as folder, stage("references", SourceError):
        metadata = fetch_metadata(spec.sources, Path(folder))
        settings = settle(spec, metadata)
        graph = predict(metadata.config, spec.task, spec.form)
    pipeline = served_pipeline(spec, metadata, settings, graph, tokenizer_file=Path("tokenizer.json"))
    plan = describe(spec, metadata, settings, pipeline, docker_plan(spec, None))
    return json.dumps(plan, ensure_ascii=False) if spec.json else as_text(plan)


if __name__ == "__main__":
    entry.run(lambda: make_triton_image(sys.argv[1:]))
