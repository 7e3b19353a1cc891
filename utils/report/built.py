"""What was built, and from what: references, revisions, digests, licences, versions."""

from dataclasses import dataclass
from typing import Any

from utils.host import installed
from utils.release.ingredients import OURS, Base, Source, ingredients_of
from utils.release.measured import labels
from utils.report.section import Finished
from utils.repository.tensors import TensorSpec

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
        sources=ingredients.sources,
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
