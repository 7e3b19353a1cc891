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
from utils.golden import GoldenAnswers, write_golden
from utils.layouts import DEFAULT_LAYOUT, LAYOUTS
from utils.model_config import labels_in_answer
from utils.pipeline import Ingredients, OnnxModel, Pipeline
from utils.plan import as_text, describe, docker_plan, oci_labels, warn_of_old_release
from utils.progress import note, stage
from utils.runtimes import RUNTIMES
from utils.sources import Metadata, fetch_metadata, fetch_model, require_local
from utils.tasks import SCORE_FUNCTIONS
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
        labels_in_answer(metadata.config, spec.top_k)  # told now when it is too many
    require_room(metadata.config.file.parent, tree.folder, engine_root)  # the weights of a local model lie there
    with stage("base images", ImageError):
        docker = docker_plan(spec, engine)
    with stage("weights", SourceError):
        model_folder = fetch_model(spec.sources, metadata, downloads)
    require_room(model_folder, tree.folder, engine_root)
    with stage("convert", ExportError):
        conversion = _convert(spec, metadata, model_folder, tree.folder / "artifacts")
    with stage("render and assemble", RenderError):
        context = _write_tree(spec, metadata, conversion, docker, tree.folder)
    shutil.rmtree(downloads, ignore_errors=True)
    place, image_id = finish(spec, context, engine, tree)
    say_next_steps(spec, place)
    return {
        "image": None if spec.no_image else spec.image,
        "image_id": image_id,
        "model_repository": str(place / "model_repository"),
        "build_tree": str(place),
        **describe(spec, metadata, context.pipeline, docker),
    }


def _connect(spec: BuildSpec) -> "Engine | None":
    """The Docker engine, found before anything slow runs; None when no image is wanted."""
    if spec.no_image:
        return None
    from utils.docker_engine import connect

    return connect()


def _convert(spec: BuildSpec, metadata: Metadata, model_folder: Path, destination: Path) -> "Conversion":
    from utils.convert_to_onnx import convert

    return convert(
        model_folder,
        metadata.tokenizer.path,
        destination,
        task=spec.task,
        release=spec.release,
        max_batch_size=spec.max_batch_size,
        max_length=spec.max_length,
    )


def _plan(spec: BuildSpec, metadata: Metadata, graph: OnnxModel, **tokenizer: Any) -> Pipeline:
    ingredients = Ingredients(
        graph=graph,
        graph_instance_kind=RUNTIMES[spec.device].instance_kind,
        labels=metadata.labels.texts,
        score_function=SCORE_FUNCTIONS[metadata.config.problem_type],
        top_k=labels_in_answer(metadata.config, spec.top_k),
        **tokenizer,
    )
    return LAYOUTS[DEFAULT_LAYOUT](spec.task, spec.model_name, spec.max_batch_size, ingredients)


def _write_tree(
    spec: BuildSpec, metadata: Metadata, conversion: "Conversion", docker: dict[str, str], folder: Path
) -> Context:
    """context.json, golden.json and the model repository."""
    from utils.assemble import assemble
    from utils.original import pytorch_scores

    frozen = conversion.tokenizer
    pipeline = _plan(spec, metadata, conversion.graph, tokenizer_file=frozen.file, tokenization=frozen.settings)
    labels = oci_labels(spec, metadata)
    context = Context(pipeline=pipeline, image=spec.image, device=spec.device, docker=docker, oci_labels=labels)
    write_context(context, folder)
    golden = GoldenAnswers(
        texts=conversion.golden_texts,
        labels=metadata.labels.texts,
        scores=pytorch_scores(conversion.golden_logits, SCORE_FUNCTIONS[metadata.config.problem_type]),
        top_k=labels_in_answer(metadata.config, spec.top_k),
    )
    write_golden(golden, folder)
    assemble(pipeline, folder / "model_repository")
    return context


def _dry_run(spec: BuildSpec) -> str:
    """The plan; small files of remote references go to a folder that is gone afterwards."""
    from utils.convert_to_onnx import predict

    with tempfile.TemporaryDirectory() as folder, stage("references", SourceError):
        metadata = fetch_metadata(spec.sources, Path(folder))
        graph = predict(metadata.config, spec.task)
    pipeline = _plan(spec, metadata, graph, tokenizer_file=Path("tokenizer.json"), tokenization={})
    plan = describe(spec, metadata, pipeline, docker_plan(spec, None))
    return json.dumps(plan, ensure_ascii=False) if spec.json else as_text(plan)


if __name__ == "__main__":
    entry.run(lambda: make_triton_image(sys.argv[1:]))
