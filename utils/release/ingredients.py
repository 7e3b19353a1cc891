"""What went into a build, as values: for the SBOM and the provenance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from utils.repository.context import Context

OURS = "triton-image-factory"
REPOSITORY = "model_repository"
TOKENIZER_FILE = "tokenizer.json"
# The label of that name has the label map itself.
REFERENCES = {"labels": "labels.reference"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A reference of the build: "model", "tokenizer", "labels", or the name of an added model.

    `reference` has no path of the builder's machine. `revision` is a commit, a model id or a digest.
    """

    name: str
    reference: str
    revision: str
    licence: str = ""


@dataclass(frozen=True, kw_only=True)
class Base:
    """A base image. `role`: "triton" or "slim". `digest` is that of its manifest; "" if it is in no registry.

    `platform`: as that of an Owner (utils/docker/inventory.py).
    """

    role: str
    image: str
    digest: str = ""
    platform: str = ""


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What went into a build.

    `triton`: the version of the server. `files`: {path below model_repository/: name of its source}, of the files that
    are not this project's own.
    """

    name: str
    tag: str
    triton: str
    sources: tuple[Source, ...]
    bases: tuple[Base, ...]
    files: Mapping[str, str]


def ingredients_of(context: Context) -> Ingredients:
    """The ingredients that a context.json names."""
    labels = context.oci_labels
    return Ingredients(
        name=context.pipeline.model_name,
        tag=context.image.rpartition(":")[2],
        triton=labels.get(f"{OURS}.triton.version", ""),
        sources=_sources(labels),
        bases=tuple(_bases(context)),
        files=_files(context),
    )


def _bases(context: Context) -> Iterator[Base]:
    for plan in (context.docker, *context.further):
        platform = "" if plan is context.docker else plan["platform"]
        for role in ("triton", *(["slim"] if plan["runtime"] == "slim" else [])):
            digest = plan.get(f"{role}_digest", "")
            yield Base(role=role, image=plan[f"{role}_image"], digest=digest, platform=platform)


def _sources(labels: Mapping[str, str]) -> tuple[Source, ...]:
    revisions = {
        name.removeprefix(f"{OURS}.").removesuffix(".revision"): revision
        for name, revision in labels.items()
        if name.startswith(f"{OURS}.") and name.endswith(".revision")
    }
    return tuple(
        Source(
            name=name,
            reference=labels.get(f"{OURS}.beside.{name}") or labels.get(f"{OURS}.{REFERENCES.get(name, name)}") or name,
            revision=revision,
            licence=labels.get(f"{OURS}.{name}.licence", ""),
        )
        for name, revision in sorted(revisions.items())
    )


def _files(context: Context) -> dict[str, str]:
    """A tokenizer's file belongs to the tokenizer, any other file of a step to the model that it serves."""
    added = {
        label.removeprefix(f"{OURS}.beside.") for label in context.oci_labels if label.startswith(f"{OURS}.beside.")
    }
    found = {}
    for step in context.pipeline.steps:
        of_step = step.model_name if step.model_name in added else "model"
        for version, files in {str(step.version): step.files, **step.earlier}.items():
            for file in files:
                place = Path(step.model_name, version, file).as_posix()
                found[place] = "tokenizer" if file == TOKENIZER_FILE and of_step == "model" else of_step
    return found
