"""The main entry: chains the stages, from arguments to a proven image or model repository."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.convert.origins import inspect_models
from utils.factory.plan import as_text, describe, docker_plan, oci_labels, served_pipeline
from utils.factory.prove_and_publish import prove_and_publish, say_next_steps
from utils.factory.versions import Versions, inspect_versions
from utils.host import entry
from utils.host.build_tree import BuildTree, open_build_tree
from utils.host.disk import require_room
from utils.host.errors import ExportError, ImageError, RenderError, SourceError
from utils.host.progress import note, stage
from utils.host.temporary import temporary_files_in
from utils.options import build_spec
from utils.options.build_spec import BuildSpec
from utils.options.release_choice import warn_of_doubts
from utils.proof.golden import joined
from utils.repository.context import Context, write_context
from utils.sources.checkpoint import weight_bytes
from utils.sources.fetch import require_existing, require_local
from utils.sources.storage import StorageRef

if TYPE_CHECKING:
    from utils.convert.origins.origin import Converted, Origin
    from utils.docker.engine import Engine


def parse_arguments(argv: Sequence[str]) -> BuildSpec:
    """What `argv` asks for, as far as it can be checked without any package installed."""
    spec = build_spec.parse_arguments(argv)
    require_local(spec.sources)
    require_existing({f"--add-model {model.name}:": model.reference for model in spec.models[1:]})
    for file in (model.golden_inputs for model in spec.models if model.golden_inputs):
        require_existing({"--golden-inputs": StorageRef(scheme="local", locator=str(file))})
    if spec.reduction.eval_file:
        require_existing({"--eval-file": StorageRef(scheme="local", locator=str(spec.reduction.eval_file))})
    return spec


def make_triton_image(argv: Sequence[str]) -> str:
    """Runs the build that `argv` asks for; returns the line (or the plan, or the JSON object) for stdout."""
    spec = parse_arguments(argv)
    started = time.monotonic()
    warn_of_doubts(spec.release, spec.device)
    if spec.dry_run:
        return _dry_run(spec)
    if spec.release_reason:
        note(spec.release_reason)
    with open_build_tree(spec.model_name, spec.tag) as tree, temporary_files_in(tree.folder):
        result = _build(spec, tree)
    result["seconds"] = round(time.monotonic() - started, 1)
    return json.dumps(result, ensure_ascii=False) if spec.json else str(result["image"] or result["model_repository"])


def _build(spec: BuildSpec, tree: BuildTree) -> dict[str, Any]:
    versions = inspect_versions(spec)
    kept = versions.copied_bytes()
    engine = _connect(spec)
    engine_root = engine.root_folder() if engine else None
    downloads = tree.folder / "downloads"
    with stage("references", SourceError):
        origins = inspect_models(spec, downloads)
    for origin in origins.values():
        require_room(weight_bytes(origin.weights), tree.folder, engine_root, kept=kept)
    with stage("base images", ImageError):
        docker = docker_plan(spec, engine)
    with stage("weights", SourceError):
        fetched = {name: origin.fetch() for name, origin in origins.items()}
    for path in fetched.values():
        require_room(weight_bytes(path), tree.folder, engine_root, kept=kept)
    with stage("convert", ExportError):
        converted = {
            name: origin.convert(fetched[name], tree.folder / "artifacts" / name) for name, origin in origins.items()
        }
    served = next(iter(origins.values()))
    with stage("render and assemble", RenderError):
        context = _write_tree(spec, served, converted, versions, docker, tree.folder)
    shutil.rmtree(downloads, ignore_errors=True)
    place, image_id = prove_and_publish(spec, context, engine, tree)
    say_next_steps(spec, place)
    return {
        "image": None if spec.no_image else spec.image,
        "image_id": image_id,
        "model_repository": str(place / "model_repository"),
        "build_tree": str(place),
        **describe(spec, served.known, served.settings, context.pipeline, docker),
    }


def _connect(spec: BuildSpec) -> "Engine | None":
    """The Docker engine, found before anything slow runs; None when no image is wanted."""
    if spec.no_image:
        return None
    from utils.docker.engine import connect

    return connect()


def _write_tree(
    spec: BuildSpec,
    origin: "Origin",
    converted: Mapping[str, "Converted"],
    versions: Versions,
    docker: dict[str, str],
    folder: Path,
) -> Context:
    """context.json, golden.json and the model repository."""
    from utils.convert.golden_answers import answers_of_graphs
    from utils.repository.assemble import assemble

    served, *added = converted.values()
    beside = dict(zip(list(converted)[1:], (each.graph for each in added), strict=True))
    planned = served_pipeline(spec, origin.known, origin.settings, served.graph, beside, **served.tokenizer)
    pipeline = versions.add_to(planned, folder)
    labels = oci_labels(spec, origin.known)
    context = Context(pipeline=pipeline, image=spec.image, device=spec.device, docker=docker, oci_labels=labels)
    write_context(context, folder)
    golden = [each.golden(pipeline, name) for name, each in converted.items()]
    if spec.task.graphs:
        graphs = {name: each.graph for name, each in converted.items()}
        golden.insert(0, answers_of_graphs(spec, origin.settings, graphs, origin.known.label_texts))
    versions.write_golden(joined(golden), pipeline, folder)
    assemble(pipeline, folder / "model_repository")
    return context


def _dry_run(spec: BuildSpec) -> str:
    """The plan; small files of remote references go to a folder that is gone afterwards."""
    inspect_versions(spec)
    with tempfile.TemporaryDirectory() as folder, stage("references", SourceError):
        origins = inspect_models(spec, Path(folder))
        graphs = {name: origin.predict() for name, origin in origins.items()}
    served, graph = next(iter(origins.values())), graphs.pop(next(iter(origins)))
    tokenizer = {"tokenizer_file": Path("tokenizer.json")}
    pipeline = served_pipeline(spec, served.known, served.settings, graph, graphs, **tokenizer)
    plan = describe(spec, served.known, served.settings, pipeline, docker_plan(spec, None))
    return json.dumps(plan, ensure_ascii=False) if spec.json else as_text(plan)


if __name__ == "__main__":
    entry.run(lambda: make_triton_image(sys.argv[1:]))
