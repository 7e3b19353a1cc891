"""The main entry: chains the stages, from arguments to a proven image or model repository."""

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.convert.origins import inspect_models
from utils.convert.origins.origin import Models, Origin
from utils.convert.types import ServedGraph
from utils.docker.engine import connect
from utils.factory.api_facts import write_api_facts
from utils.factory.base_images import docker_plan
from utils.factory.golden_rows import golden_answers
from utils.factory.image_labels import oci_labels, tool_versions
from utils.factory.many import Planned, build_all, plan, report, require_all, table
from utils.factory.observed import write_before, write_observed
from utils.factory.parameters import public_parameters
from utils.factory.prove_and_publish import print_next_steps, prove_and_publish
from utils.factory.publish import require_key, require_target
from utils.factory.report import as_text, describe, result_line
from utils.factory.served_pipeline import served_pipeline
from utils.factory.try_page import write_try_page
from utils.factory.versions import Versions, inspect_versions
from utils.host import entry, source_date
from utils.host.build_tree import BuildTree, open_build_tree
from utils.host.disk import require_room
from utils.host.errors import ExportError, ImageError, RenderError, SourceError
from utils.host.progress import WARNINGS, note, stage
from utils.host.temporary import private_folder, temporary_files_in
from utils.options.arguments import Arguments, read_arguments
from utils.options.build_spec import BuildSpec, build_spec
from utils.options.release_choice import InstalledGpu, installed_gpu, needs_installed_gpu, warn_of_doubts
from utils.release.documents import PROVENANCE, SBOM
from utils.release.signature_files import read_private_pem
from utils.report.files import PAGE_FILE
from utils.repository import build_record
from utils.repository.context import Context, write_context
from utils.sources.checkpoint import weight_bytes
from utils.sources.fetch import require_existing, require_local
from utils.sources.storage import StorageRef
from utils.targets.apis import require_one_score


def parse_arguments(argv: Sequence[str]) -> list[BuildSpec]:
    """The spec of each build of `argv`, as far as it can be checked without any package installed."""
    arguments = read_arguments(argv)
    if arguments.builds:
        return [each.spec for each in _planned(arguments, InstalledGpu())]
    return [_checked_spec(arguments.values, InstalledGpu())]


def _planned(arguments: Arguments, gpu: InstalledGpu) -> list[Planned]:
    return plan(arguments.builds, lambda values: _checked_spec(values, gpu))


def _checked_spec(values: dict[str, Any], gpu: InstalledGpu) -> BuildSpec:
    """The spec, with every local path in it checked."""
    spec = build_spec(values, gpu)
    source_date.stated()  # checked before anything slow runs
    models = spec.source.models
    require_local(spec.source.sources)
    require_existing({f"--add-model {name}:": model.reference for name, model in models.added.items()})
    files = [("--golden-inputs", model.golden_inputs) for model in models.by_name.values()]
    reduction = spec.target.reduction
    files += [("--eval-file", reduction.eval_file), ("--calibration-file", reduction.calibration_file)]
    for option, file in files:
        if file:
            require_existing({option: StorageRef(scheme="local", locator=str(file))})
    if key := spec.output.publication.sign_key:
        read_private_pem("--sign-key", key)
    return spec


def make_triton_image(argv: Sequence[str]) -> str:
    """Runs the build of `argv`, or its list; returns the line (or the plan, or the JSON object) for stdout."""
    arguments = read_arguments(argv)
    return _make_list(arguments) if arguments.builds else _make(arguments.values)


def _make_list(arguments: Arguments) -> str:
    of_gpu = any(needs_installed_gpu(build.values) for build in arguments.builds)
    planned = _planned(arguments, installed_gpu() if of_gpu else InstalledGpu())
    outcomes = build_all(planned, arguments.jobs)
    note("\n  ".join(table(outcomes).splitlines()))
    text = report(outcomes, as_json="json" in arguments.values)
    if any(each.exit_code for each in outcomes) and text:
        entry.write_stdout(f"{text}\n")  # a command that fails has no result
    require_all(outcomes)
    return text


def _make(values: dict[str, Any]) -> str:
    # Child processes read these two from the environment.
    if "debug" in values:
        os.environ["TRITON_FACTORY_DEBUG"] = "1"
    if "no_cache" in values:
        os.environ["TRITON_FACTORY_NO_CACHE"] = "1"
    # Read when torch is imported: its threads sleep, not spin, while they wait for one another. The answers are equal.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    spec = _checked_spec(values, installed_gpu() if needs_installed_gpu(values) else InstalledGpu())
    require_key(spec.output.publication)
    started = time.monotonic()
    WARNINGS.clear()
    warn_of_doubts(spec.target.release, spec.target.device)
    if spec.output.dry_run:
        return _dry_run(spec)
    if spec.target.release_reason:
        note(spec.target.release_reason)
    with open_build_tree(spec.serving.model_name, spec.output.tag) as tree, temporary_files_in(tree.folder):
        build_record.begin(tree.folder, parameters=public_parameters(values), tools=tool_versions())
        result = _build(spec, tree)
    result["seconds"] = round(time.monotonic() - started, 1)
    if spec.output.json:
        return json.dumps(result, ensure_ascii=False)
    return result_line(result)


def _build(spec: BuildSpec, tree: BuildTree) -> dict[str, Any]:
    versions = inspect_versions(spec)
    kept = versions.copied_bytes()
    engine = None if spec.output.no_image else connect()  # found before anything slow runs
    if engine:
        require_target(spec.output.publication, spec.output.image, engine)
    engine_root = engine.root_folder() if engine else None
    downloads = tree.folder / "downloads"
    with stage("references", SourceError):
        origins = inspect_models(spec.request, downloads)
    _require_answerable(spec, origins.served)
    for origin in origins.by_name.values():
        require_room(
            weight_bytes(origin.weights), tree.folder, engine_root, kept=kept
        )  # local weights are known already
    with stage("base images", ImageError):
        docker, *further = [
            docker_plan(spec.target, engine, platform) for platform in spec.output.publication.platforms or ("",)
        ]
    with stage("weights", SourceError):
        fetched = origins.each(lambda _, origin: origin.fetch())
    for path in filter(None, fetched.by_name.values()):
        require_room(weight_bytes(path), tree.folder, engine_root, kept=kept)
    with stage("convert", ExportError):
        served = origins.each(
            lambda name, origin: origin.convert(fetched.by_name[name], tree.folder / "artifacts" / name)
        )
    with stage("render and assemble", RenderError):
        context = _write_tree(spec, origins.served, served, versions, [docker, *further], tree.folder)
    shutil.rmtree(downloads, ignore_errors=True)
    result = prove_and_publish(spec, context, engine, tree)
    print_next_steps(spec, result.place, result.reference or spec.output.image)
    return {
        "image": None if spec.output.no_image else spec.output.image,
        "image_id": next(reversed([*result.images.values()]), None),
        "images": result.images,
        "digest": result.reference,
        "model_repository": str(result.place / "model_repository"),
        "build_tree": str(result.place),
        "report": str(result.place / PAGE_FILE),
        "sbom": str(result.place / SBOM.file),
        "provenance": str(result.place / PROVENANCE.file),
        **describe(spec, origins.served.known, origins.served.settings, context.pipeline, docker),
    }


def _write_tree(
    spec: BuildSpec,
    origin: Origin,
    served: Models[ServedGraph],
    versions: Versions,
    plans: Sequence[dict[str, str]],
    folder: Path,
) -> Context:
    """context.json, golden.json, try.json, the model repository, and what observes it."""
    from utils.repository.assemble import assemble

    known, settings, names = origin.known, origin.settings, spec.serving.names
    graphs = served.each(lambda _, each: each.graph)
    planned = served_pipeline(spec, known, settings, graphs, served.served.tokenizer, served.served.step_files)
    pipeline = versions.add_to(planned, folder)
    labels = oci_labels(spec, known, plans[0], settings.get("similarity"))
    context = Context(
        pipeline=pipeline,
        image=spec.output.image,
        device=spec.target.device,
        docker=plans[0],
        oci_labels=labels,
        further=tuple(plans[1:]),
        api=spec.output.api,
    )
    write_context(context, folder)
    write_api_facts(spec, known, settings, pipeline, folder)
    golden = golden_answers(spec.source.task, names, settings, known.label_texts, served, pipeline, spec.target)
    versions.write_golden(golden, pipeline, folder)
    write_observed(pipeline, golden, folder)
    write_before(spec.source.task.name, served.served, folder)
    write_try_page(spec.source.task, settings, known.label_texts, pipeline, golden, folder)
    build_record.add(folder, parity=dict(served.served.parity) or None)
    assemble(pipeline, folder / "model_repository")
    return context


def _require_answerable(spec: BuildSpec, origin: Origin) -> None:
    """UsageError for a model that a route of --api cannot give the whole answer of."""
    if spec.output.api:
        require_one_score(spec.output.api, spec.source.task.name, origin.predict().outputs[0].dims[-1])


def _dry_run(spec: BuildSpec) -> str:
    """The plan; small files of remote references go to a folder that is gone afterwards."""
    inspect_versions(spec)
    with private_folder() as folder, stage("references", SourceError):
        origins = inspect_models(spec.request, folder)
        _require_answerable(spec, origins.served)
        graphs = origins.each(lambda _, origin: origin.predict())
    known, settings = origins.served.known, origins.served.settings
    pipeline = served_pipeline(spec, known, settings, graphs, None)
    plan = describe(spec, known, settings, pipeline, docker_plan(spec.target, None))
    return json.dumps(plan, ensure_ascii=False) if spec.output.json else as_text(plan)


if __name__ == "__main__":
    entry.run(lambda: make_triton_image(sys.argv[1:]))
