"""What follows the proof. The registry's tag is set when all the rest is there; a fault leaves it unchanged.

The order: SBOM, push, provenance, attachments, signatures, tag, manifests for deployment, report.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from utils.docker.engine import Engine
from utils.docker.inventory import read_inventory
from utils.docker.platforms import require_runnable
from utils.host.errors import ReleaseError
from utils.host.progress import note, stage
from utils.options.publication import Publication
from utils.registry.reference import Reference, parse_reference
from utils.release.documents import SBOM
from utils.release.ingredients import ingredients_of
from utils.repository.context import Context

if TYPE_CHECKING:
    from utils.registry.registry import Registry
    from utils.release.signature_keys import PrivateKey


@dataclass(frozen=True, kw_only=True)
class Proven:
    """What was proven: the build tree and, unless --no-image, its images.

    `place`: the folder that the tree will be moved to. `images` are the ids by platform ("linux/amd64"), `image` is
    their name with the tag.
    """

    tree: Path
    place: Path
    context: Context
    image: str = ""
    images: Mapping[str, str] = field(default_factory=dict)


def require_target(publication: Publication, image: str, engine: Engine, *, again: bool = False) -> None:
    """Asks, within seconds, whether this engine and the registry can do what is to be published.

    UsageError for a platform or a cache that the engine lacks, ReleaseError for a registry that refuses `image` or has
    its tag already. `again`: the push may have been complete before, so the tag is compared when the digest is known.
    """
    publication.cache_options(engine.client.builder)
    for platform in publication.platforms:
        require_runnable(engine, platform)
    if publication.push:
        from utils.release import push

        with stage("registry", ReleaseError):
            registry = _registry(engine, image)
            registry.require_push()
            if not again:
                push.require_free_tag(registry, move=publication.move_tag)


def require_key(publication: Publication) -> None:
    """UsageError, before anything slow runs, for a --sign-key that cannot sign."""
    if publication.sign_key:
        _signing_key(publication.sign_key)


@functools.cache
def _signing_key(file: Path) -> "PrivateKey":
    """Read once, when a build starts: at its end the file or the passphrase may be gone."""
    from utils.release.signature_keys import read_private_key

    return read_private_key("--sign-key", file)


def publish(proven: Proven, publication: Publication, engine: Engine | None) -> str | None:
    """Describes what was proven, and with --push releases it: `registry/name@sha256:...`. Raises ReleaseError."""
    from utils.release.provenance import digest_of_repository

    with stage("SBOM", ReleaseError):
        _write_sbom(proven, engine)
    reference = None
    if publication.push and engine:
        reference = str(_push(proven, publication, engine))
    else:
        built = list(proven.images.values()) or [digest_of_repository(proven.tree)]
        _write_provenance(proven, proven.image or proven.context.pipeline.model_name, built)
    if proven.images:
        _write_manifests(proven, reference)
    with stage("report", ReleaseError):
        _write_report(proven, engine, reference)
    return reference


def _write_report(proven: Proven, engine: Engine | None, released: str | None) -> None:
    from utils.report.section import Image, Layer
    from utils.report.write import write_report

    images = [
        Image(
            platform=platform,
            id=image_id,
            size=engine.image_size(image_id),
            layers=tuple(Layer(made_by=made_by, size=size) for made_by, size in engine.layers(image_id)),
        )
        for platform, image_id in proven.images.items()
        if engine
    ]
    write_report(
        proven.tree,
        proven.place,
        proven.context,
        image=proven.image,
        images=tuple(images),
        reference=released or "",
    )


def _write_manifests(proven: Proven, released: str | None) -> None:
    """Manifests of the released image, for all its platforms; else of the image on the engine, which has one."""
    from utils.release.manifests import write_manifests

    platforms = sorted(proven.images) if released else ()
    with stage("manifests", ReleaseError):
        architectures = [platform.split("/")[1] for platform in platforms]
        write_manifests(proven.tree, proven.context, released or proven.image, architectures)


def _write_sbom(proven: Proven, engine: Engine | None) -> None:
    from utils.release.sbom import write_sbom

    further = {plan["platform"] for plan in proven.context.further}
    images = {platform if platform in further else "": image_id for platform, image_id in proven.images.items()}
    owners = [owner for each, image_id in images.items() if engine for owner in read_inventory(engine, image_id, each)]
    write_sbom(proven.tree, ingredients_of(proven.context), owners)


def _write_provenance(proven: Proven, name: str, digests: Iterable[str]) -> None:
    from utils.release.provenance import Subject, write_provenance

    subjects = [Subject(name=name, digest=each) for each in digests]
    write_provenance(proven.tree, subjects, ingredients_of(proven.context), [proven.tree / SBOM.file])


def _push(proven: Proven, publication: Publication, engine: Engine) -> Reference:
    """The digest reference of the released image, or of the index of several."""
    from utils.release import push

    registry = _registry(engine, proven.image)
    with stage("push", ReleaseError):
        manifests = {
            platform: push.push_image(engine, image_id, registry, seconds=publication.push_timeout)
            for platform, image_id in proven.images.items()
        }
        released = push.put_index(registry, manifests)
    reference = registry.reference.by_digest(released.digest)
    digests = dict.fromkeys(each.digest for each in (released, *manifests.values()))
    _write_provenance(proven, reference.repository, digests)
    with stage("attach" if publication.sign_key is None else "attach and sign", ReleaseError):
        from utils.release.attach import attach, documents_in

        key = _signing_key(publication.sign_key) if publication.sign_key else None
        attach(registry, released.digest, documents_in(proven.tree), key)
    with stage("tag", ReleaseError):
        push.set_tag(registry, released, move=publication.move_tag)
    note(f"released {proven.image} as {reference}")
    return reference


def _registry(engine: Engine, image: str) -> "Registry":
    from utils.registry.registry import Registry

    reference = parse_reference(image)
    return Registry(reference, insecure=engine.is_insecure(reference.host))
