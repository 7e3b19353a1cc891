"""What was built, and from what: references, revisions, digests, licences, versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from utils.host import installed
from utils.release.ingredients import OURS, Base, Source, ingredients_of
from utils.release.measured import labels
from utils.report.section import Finished
from utils.repository.tensors import TensorSpec
from utils.tasks import TASKS

SHOWN_LABELS = 200


@dataclass(frozen=True, kw_only=True)
class Built:
    """The served model, its sources and its base images.

    `image`: its name, "" with --no-image; `digest`: `registry/name@sha256:...` of a pushed one. `platforms`: {platform:
    id of the image}. `labels`: the first SHOWN_LABELS of `label_count`. `versions`: {program: version}. `options`: the
    options of the build.
    """

    task: str
    layout: str
    engine: str
    precision: str
    device: str
    max_batch_size: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    steps: tuple[str, ...]
    sources: tuple[Source, ...]
    bases: tuple[Base, ...]
    versions: dict[str, str]
    options: dict[str, Any]
    labels: tuple[str, ...] = ()
    label_count: int = 0
    image: str = ""
    digest: str = ""
    platforms: dict[str, str]
    invocation: str = ""


def card(built: Built) -> Mapping[str, Any]:
    """The licence, the task and the model on the Hugging Face hub, where they are known."""
    sources = {each.name: each for each in built.sources}
    model = sources.get("base") or sources.get("model")
    on_hub = model is not None and model.reference.startswith("hf:")
    task = TASKS.get(built.task)
    return {
        **({"license": sources["model"].licence} if "model" in sources and sources["model"].licence else {}),
        **({"base_model": model.reference[3:].partition("@")[0]} if model and on_hub else {}),
        **({"pipeline_tag": task.pipeline_tag} if task and task.pipeline_tag else {}),
        "tags": ["triton-inference-server", built.engine, built.precision],
    }


def make(finished: Finished) -> Built:
    """From context.json and build.json."""
    context, record = finished.context, finished.record
    pipeline, image_labels = context.pipeline, context.oci_labels
    ingredients = ingredients_of(context)
    all_labels = labels(pipeline)
    return Built(
        task=image_labels.get(f"{OURS}.task", ""),
        layout=pipeline.layout,
        engine=image_labels.get(f"{OURS}.engine", ""),
        precision=image_labels.get(f"{OURS}.precision", ""),
        device=context.device,
        max_batch_size=pipeline.max_batch_size,
        inputs=pipeline.inputs,
        outputs=pipeline.outputs,
        steps=tuple(step.model_name for step in pipeline.steps),
        sources=tuple(sorted(ingredients.sources, key=lambda source: source.name != "model")),  # the model first
        bases=ingredients.bases,
        versions={
            "triton-image-factory": installed.VERSION,
            "Triton release": image_labels.get(f"{OURS}.triton.release", ""),
            "Triton": ingredients.triton,
            "Python of the image": context.docker.get("python", ""),
            **record.get("tools", {}),
        },
        options=dict(record.get("parameters", {})),
        labels=tuple(all_labels[:SHOWN_LABELS]),
        label_count=len(all_labels),
        image=finished.image,
        digest=finished.reference,
        platforms={each.platform: each.id for each in finished.images},
        invocation=record.get("invocationId", ""),
    )
