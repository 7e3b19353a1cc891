"""What a build will do: the base images it stands on, the labels its image carries, and the plan --dry-run prints."""

import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from utils.convert.eval_file import read_labelled_texts
from utils.convert.task import Settings
from utils.host import digest, installed
from utils.host.errors import ImageError, UsageError
from utils.host.progress import note, warn
from utils.options.build_spec import BuildSpec
from utils.repository.layouts import LAYOUTS
from utils.repository.pipeline import Graph, Ingredients, Pipeline
from utils.repository.served_code import load_shared
from utils.repository.steps import sharing_no_failure, step_of_graph
from utils.repository.tensors import TensorSpec
from utils.sources.fetch import Metadata
from utils.sources.storage import StorageRef
from utils.targets.formats import FORMATS
from utils.targets.releases import SECURITY_FLOOR, slim_image_of
from utils.targets.runtimes import RUNTIMES
from utils.targets.tuning import tuned

if TYPE_CHECKING:
    from utils.convert.origins.origin import Known
    from utils.docker.engine import Engine

TOOLS = ("torch", "transformers", "optimum", "optimum-onnx", "onnx", "tokenizers")
LONGEST_IMAGE_LABEL = 16 * 1024


def docker_plan(spec: BuildSpec, engine: "Engine | None") -> dict[str, str]:
    """The `docker` part of context.json: triton_image, slim_image, runtime; python and machine, for the wheels.

    With an engine the images are pulled, so that a missing one is told before anything slow runs, and asked
    for their Python and their release; without one the release table answers. An old release is warned of.
    """
    plan = {
        "triton_image": spec.triton_image,
        "slim_image": spec.slim_image or spec.release.slim_image,
        "runtime": FORMATS[spec.form.format].stage or RUNTIMES[spec.device].stage,
        "python": spec.release.python,
        "machine": platform.machine(),
    }
    if engine is None:
        warn_of_old_release(spec.release.name)
        return plan
    engine.pull_if_missing(spec.triton_image)
    _look_at_release(spec, engine)
    plan["python"] = engine.python_version(spec.triton_image)
    plan["machine"] = engine.machine(spec.triton_image)
    if FORMATS[spec.form.format].stage:
        engine.require_backend(spec.triton_image, FORMATS[spec.form.format].backend)
    if plan["runtime"] == "slim":
        plan.update(_slim_base(spec, engine))
    note(f"base images: {plan['triton_image']} (Python {plan['python']}), runtime {plan['runtime']}")
    return plan


def _look_at_release(spec: BuildSpec, engine: "Engine") -> None:
    """Warns of a base image of an old release, and of one older than the release that models are converted for."""
    found = engine.triton_release(spec.triton_image) or spec.release.name
    warn_of_old_release(found)
    if found < spec.release.name:
        warn(
            f"base image {spec.triton_image} is Triton {found}, and the model is converted for {spec.release.name}, "
            f"which it may not load; give --release {found}, or a base image of {spec.release.name}"
        )


def _slim_base(spec: BuildSpec, engine: "Engine") -> dict[str, str]:
    """The slim base, or, behind a --base-image whose distribution's is not to be had, none: the full image serves."""
    if spec.slim_image or not spec.base_image:
        slim = spec.slim_image or spec.release.slim_image
        engine.pull_if_missing(slim)
        return {"slim_image": slim}
    name, number = engine.os_release(spec.base_image)
    slim = slim_image_of(name, number) or spec.release.slim_image
    try:
        engine.pull_if_missing(slim)
    except ImageError as error:
        warn(f"{error}; building on the whole of {spec.base_image} instead: a larger image, the same answers")
        return {"runtime": "full"}
    return {"slim_image": slim}


def served_pipeline(
    spec: BuildSpec,
    metadata: "Known",
    settings: Settings,
    graph: Graph,
    beside: Mapping[str, Graph] = MappingProxyType({}),
    **tokenizer: Any,
) -> Pipeline:
    """The layout, filled with this build's tensors, names and settings; `beside` are the added models' graphs by name.

    UsageError for a name given to a tensor that there is not, and for tuning that has no effect.
    """
    graphs = {"model": graph}
    if spec.task.graphs:
        own, *others = spec.task.graphs.names
        graphs = {own: graph, **{name: beside[name] for name in others}}
    ingredients = Ingredients(
        model_name=spec.model_name,
        max_batch_size=spec.max_batch_size,
        inputs=spec.names.of_inputs(spec.task.inputs),
        outputs=spec.names.of_outputs(spec.task.outputs(settings, graph)),
        graphs=graphs,
        graph_instance_kind=RUNTIMES[spec.device].instance_kind,
        gpus=spec.gpus,
        engine=spec.engine.name,
        precision=spec.reduction.precision.name,
        pads_to_buckets=RUNTIMES[spec.device].pads_to_buckets,
        settings=settings,
        labels=metadata.label_texts,
        step_names=spec.names.steps,
        **tokenizer,
    )
    planned = LAYOUTS[spec.layout](ingredients, tuple(make(ingredients) for make in spec.task.layouts[spec.layout]))
    bare = {name: each for name, each in beside.items() if name not in graphs}
    added = tuple(sharing_no_failure(step_of_graph(ingredients, each, name)) for name, each in bare.items())
    return tuned(replace(planned, steps=(*planned.steps, *added)), spec.tuning)


def resolve_settings(spec: BuildSpec, metadata: Metadata) -> Settings:
    """The task's settings; UsageError or SourceError for what the model's config and labels do not allow."""
    settings = spec.task.resolve_settings(metadata.config, metadata.label_texts, spec.options)
    unknown = tuple(TensorSpec(name=name, dtype="FP32", dims=(-1, -1)) for name in spec.task.graph_outputs)
    outputs = spec.names.of_outputs(spec.task.outputs(settings, Graph(path=Path(), inputs=(), outputs=unknown)))
    served = [tensor.name for tensor in (*spec.names.of_inputs(spec.task.inputs), *outputs)]
    if spec.reduction.eval_file:
        require_labelled(spec, settings, metadata.label_texts)
    spec.names.require_unique(served, {*load_shared("tokenization").TENSORS, *spec.task.graph_outputs})
    return settings


def require_labelled(spec: BuildSpec, settings: Settings, labels: tuple[str, ...]) -> None:
    """UsageError where a text has more labels than one; SourceError for what is wrong in --eval-file."""
    file, guard = spec.reduction.eval_file, spec.task.guard
    assert file and guard
    if guard.rule(settings) != "softmax":
        raise UsageError("--eval-file holds one label for each text, and this model's answers are others; leave it out")
    read_labelled_texts(file, [tensor.name for tensor in spec.task.inputs], labels)


def oci_labels(spec: BuildSpec, metadata: "Known") -> dict[str, str]:
    """Labels for the image: what is in it, and what made it."""
    ours = "triton-image-factory"
    revisions = {f"{ours}.{name}.revision": revision for name, revision in metadata.revisions.items()}
    return {
        "org.opencontainers.image.title": spec.model_name,
        "org.opencontainers.image.version": spec.tag,
        "org.opencontainers.image.revision": metadata.revisions["model"],
        "org.opencontainers.image.base.name": spec.triton_image,
        f"{ours}.version": installed.VERSION,
        f"{ours}.model": _public(spec.sources.model),
        **({f"{ours}.tokenizer": _public(spec.sources.tokenizer)} if spec.sources.tokenizer else {}),
        **{f"{ours}.beside.{each.name}": _public(each.reference) for each in spec.models[1:]},
        **revisions,
        f"{ours}.task": spec.task.name,
        f"{ours}.engine": spec.engine.name,
        f"{ours}.precision": spec.reduction.precision.name,
        **({f"{ours}.labels": image_label(metadata.label_texts)} if metadata.labels else {}),
        **({f"{ours}.unread": " ".join(unread)} if (unread := _unread(metadata)) else {}),
        f"{ours}.max_batch_size": str(spec.max_batch_size),
        f"{ours}.triton.release": spec.release.name,
        f"{ours}.tools": " ".join(f"{tool}=={version(tool)}" for tool in TOOLS),
    }


def image_label(texts: tuple[str, ...]) -> str:
    """The label map as a JSON list; above LONGEST_IMAGE_LABEL bytes an object: how many, and the list's SHA-256.

    An image label travels on docker's command line, and Linux bounds one argument to 128 KiB (execve(2),
    MAX_ARG_STRLEN). The whole list is in the image: id2label.json beside the model that names the labels.
    """
    whole = json.dumps(texts, ensure_ascii=False)
    content = whole.encode()
    if len(content) <= LONGEST_IMAGE_LABEL:
        return whole
    return json.dumps({"count": len(texts), "sha256": digest.of_bytes(content)})


def _unread(metadata: "Known") -> list[str]:
    """The settings that --accept-unknown leaves unread."""
    of_labels = metadata.labels.accepted if metadata.labels else ()
    return sorted({*metadata.facts.get("model", {}).get("unread", ()), *of_labels})


def _public(reference: StorageRef) -> str:
    """A local path tells of the builder's machine; its last part is enough to know the model by."""
    return f"local:{Path(reference.locator).name}" if reference.scheme == "local" else str(reference)


def warn_of_old_release(name: str) -> None:
    """Says so when the release ("YY.MM") lacks published security fixes."""
    if name < SECURITY_FLOOR:
        warn(
            f"Triton {name} lacks security fixes of {SECURITY_FLOOR} (bulletins up to August 2026); "
            f"build with --release {SECURITY_FLOOR} or newer unless the GPU's driver forbids it"
        )


def describe(
    spec: BuildSpec, metadata: "Known", settings: Settings, pipeline: Pipeline, docker: Mapping[str, str]
) -> dict[str, Any]:
    """The plan as JSON values: names and revisions, tensors, steps, release, image."""
    unverified = spec.release.doubts(of_gpu=RUNTIMES[spec.device].needs_driver)
    return {
        "model": {"reference": str(spec.sources.model), **metadata.facts.get("model", {})},
        "tokenizer": {"reference": str(spec.sources.tokenizer)} if spec.sources.tokenizer else None,
        "revisions": metadata.revisions,
        "labels": {
            "count": len(metadata.labels.texts),
            "source": metadata.labels.source,
            "texts": metadata.labels.texts,
        }
        if metadata.labels
        else None,
        "task": {"name": spec.task.name, **metadata.facts.get("task", {}), **settings},
        "release": {
            "name": spec.release.name,
            "triton": spec.release.triton,
            "onnxruntime": spec.release.onnxruntime,
            "opset": spec.release.opset,
            "python": docker["python"],
            **({"reason": spec.release_reason} if spec.release_reason else {}),
            **({"unverified": list(unverified)} if unverified else {}),
        },
        "device": spec.device,
        "graph": {
            "format": spec.form.format,
            "engine": spec.engine.name,
            "precision": spec.reduction.precision.name,
            **({"sequence_length": spec.form.sequence_length} if spec.form.sequence_length else {}),
            "input_dtype": spec.form.input_dtype,
        },
        **({"tuning": spec.tuning.given} if spec.tuning.given else {}),
        "runtime": docker["runtime"],
        "base_images": [docker["triton_image"], *([docker["slim_image"]] if docker["runtime"] == "slim" else [])],
        "served_model": {
            "name": pipeline.model_name,
            "max_batch_size": pipeline.max_batch_size,
            "inputs": [str(tensor) for tensor in pipeline.inputs],
            "outputs": [str(tensor) for tensor in pipeline.outputs],
        },
        "steps": [
            {
                "model": step.model_name,
                "inputs": [str(tensor) for tensor in step.inputs],
                "outputs": [str(tensor) for tensor in step.outputs],
            }
            for step in pipeline.steps
        ],
        "image": None if spec.no_image else spec.image,
    }


def as_text(plan: Mapping[str, Any], indent: str = "") -> str:
    """The plan for a person: one line a value, nested by indentation."""
    lines = []
    for name, value in plan.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:", as_text(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines.append(f"{indent}{name}:")
            lines += [f"{indent}  {_step_line(each)}" for each in value]
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            lines.append(f"{indent}{name}: {shown}")
    return "\n".join(lines)


def _step_line(step: Mapping[str, Any]) -> str:
    return f"{step['model']}: {', '.join(step['inputs'])} -> {', '.join(step['outputs'])}"
