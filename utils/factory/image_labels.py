"""The labels of an image. Names of the OCI image specification: org.opencontainers.image.* (annotations.md)."""

import json
import os
from collections.abc import Mapping
from importlib.metadata import version

from utils.convert.origins.origin import Known
from utils.factory.parameters import public_reference
from utils.host import digest, installed, source_date
from utils.options.build_spec import BuildSpec
from utils.sources.storage import StorageRef

TOOLS = ("torch", "transformers", "optimum", "optimum-onnx", "onnx", "tokenizers")
# Of the served API, if the model has no page of its own.
DOCUMENTATION = "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/index.html"
OWN_LICENCE = "Apache-2.0"
LONGEST_IMAGE_LABEL = 16 * 1024


def oci_labels(
    spec: BuildSpec, known: Known, docker: Mapping[str, str], similarity: str | None = None
) -> dict[str, str]:
    """Labels for the image: what is in it, and what made it. Those of --label have priority.

    `docker`: as docker_plan gives it. `similarity`: the function that compares two embeddings, if the model gives any.
    The names org.opencontainers.image.* are those of the OCI image specification.
    """
    ours = "triton-image-factory"
    base = "slim" if docker["runtime"] == "slim" else "triton"
    revisions = {f"{ours}.{name}.revision": revision for name, revision in known.revisions.items()}
    sources = spec.source.sources
    references = {"model": sources.model, "tokenizer": sources.tokenizer, "labels.reference": sources.labels}
    references |= known.references
    references |= {f"beside.{name}": each.reference for name, each in spec.source.models.added.items()}
    page = _page(sources.model)
    return {
        "org.opencontainers.image.title": spec.serving.model_name,
        "org.opencontainers.image.version": spec.output.tag,
        "org.opencontainers.image.revision": known.revisions["model"],
        "org.opencontainers.image.created": source_date.as_text(source_date.now()),
        "org.opencontainers.image.vendor": _vendor(spec.output.repository),
        "org.opencontainers.image.source": page or public_reference(sources.model),
        "org.opencontainers.image.documentation": page or DOCUMENTATION,
        "org.opencontainers.image.licenses": _licences(known),
        "org.opencontainers.image.base.name": docker[f"{base}_image"],
        **_digest_label("org.opencontainers.image.base.digest", docker.get(f"{base}_digest")),
        f"{ours}.triton.image": docker["triton_image"],
        **_digest_label(f"{ours}.triton.digest", docker.get("triton_digest")),
        f"{ours}.triton.version": spec.target.release.triton,
        f"{ours}.version": installed.VERSION,
        **{f"{ours}.{name}": public_reference(each) for name, each in references.items() if each},
        **revisions,
        **{f"{ours}.{name}.licence": licence for name, licence in known.licences.items()},
        f"{ours}.task": spec.source.task.name,
        **({f"{ours}.similarity": similarity} if similarity else {}),
        f"{ours}.engine": spec.target.engine.name,
        f"{ours}.precision": spec.target.reduction.precision.name,
        **({f"{ours}.labels": image_label(known.label_texts)} if known.labels else {}),
        **({f"{ours}.unread": " ".join(unread)} if (unread := _unread(known)) else {}),
        f"{ours}.max_batch_size": str(spec.serving.max_batch_size),
        f"{ours}.triton.release": spec.target.release.name,
        f"{ours}.tools": " ".join(f"{tool}=={number}" for tool, number in tool_versions().items()),
        **spec.output.labels,
    }


def tool_versions() -> dict[str, str]:
    """The versions of the packages that convert."""
    return {tool: version(tool) for tool in TOOLS}


def _digest_label(name: str, digest_of_image: str | None) -> dict[str, str]:
    return {name: digest_of_image} if digest_of_image else {}


def _vendor(repository: str) -> str:
    """The folder of the repository in its registry, like "team" of registry.example.org/team/topics."""
    *folders, _ = repository.split("/")
    named = [folder for folder in folders if "." not in folder and ":" not in folder and folder != "localhost"]
    return "/".join(named) or "triton-image-factory"


def _page(reference: StorageRef) -> str:
    """The page of a model on its hub; "" for another storage."""
    if reference.scheme != "hf":
        return ""
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    name, _, revision = reference.locator.partition("@")
    return f"{hub}/{name}/tree/{revision}" if revision else f"{hub}/{name}"


def _licences(known: Known) -> str:
    """An SPDX expression: the licences of the model, its base or adapter, and this project's own files."""
    from utils.release.licences import spdx

    weights = (spdx(known.licences.get(name, "")) for name in ("model", *known.references))
    return " AND ".join(dict.fromkeys([*filter(None, weights), OWN_LICENCE]))


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


def _unread(known: Known) -> list[str]:
    """The settings that --accept-unknown leaves unread."""
    of_labels = known.labels.accepted if known.labels else ()
    return sorted({*known.facts.get("model", {}).get("unread", ()), *of_labels})
