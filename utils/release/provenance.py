"""provenance.json: how an image was made, as an in-toto Statement v1 with SLSA's provenance v1.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://slsa.dev/spec/v1.0/provenance
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from packageurl import PackageURL

from utils.docker.context import WHEELHOUSE
from utils.docker.wheel_locks import pin_of
from utils.host import digest, installed, source_date
from utils.release.documents import PROVENANCE, STATEMENT_TYPE
from utils.release.ingredients import REPOSITORY, Base, Ingredients, Source
from utils.repository import build_record
from utils.repository.context import GOLDEN_FILE

# docs/release.md describes its parameters.
BUILD_TYPE = "urn:triton-image-factory:build:1"
BUILDER = "urn:triton-image-factory:builder"
# The first 16 hex digits of a SHA-256 over the names and contents of the files (utils/sources/storage/local.py).
SHORT_DIGEST = "filesSha256First16"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What was built. `digest`: `sha256:` and 64 hex digits."""

    name: str
    digest: str


def write_provenance(
    tree: Path, subjects: Sequence[Subject], ingredients: Ingredients, byproducts: Sequence[Path]
) -> Path:
    """Writes `tree`/provenance.json. The parameters and measured figures are those in the tree's build.json.

    `byproducts`: files that describe the subject, such as the SBOM.
    """
    record = {**build_record.read(tree), "finishedOn": source_date.as_text(datetime.now(timezone.utc))}
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": each.name, **_sha256(each.digest)} for each in subjects],
        "predicateType": PROVENANCE.predicate_type,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": record.get("parameters", {}),
                "internalParameters": {"tools": record.get("tools", {})},
                "resolvedDependencies": list(_dependencies(tree, ingredients)),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"triton-image-factory": installed.VERSION}},
                "metadata": {
                    name: record[name] for name in ("invocationId", "startedOn", "finishedOn") if name in record
                },
                "byproducts": [
                    _measured(REPOSITORY, digest_of_repository(tree), record.get("parity")),
                    _measured(GOLDEN_FILE, digest.of_file(tree / GOLDEN_FILE), record.get("proof")),
                    *({"name": file.name, **_sha256(digest.of_file(file))} for file in byproducts),
                ],
            },
        },
    }
    file = tree / PROVENANCE.file
    file.write_text(json.dumps(statement, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def digest_of_repository(tree: Path) -> str:
    """The subject without an image: `sha256:` and a digest of the names and contents of the model repository."""
    repository = tree / REPOSITORY
    files = {path.relative_to(repository).as_posix(): path for path in sorted(repository.rglob("*")) if path.is_file()}
    return f"sha256:{digest.of_files(files)}"


def _dependencies(tree: Path, ingredients: Ingredients) -> Iterator[dict[str, Any]]:
    yield from map(_source, ingredients.sources)
    yield from map(_base, ingredients.bases)
    for wheel in sorted((tree / WHEELHOUSE).glob("*.whl")):
        name, _, version = pin_of(wheel.name).partition("==")
        yield {
            "name": wheel.name,
            "uri": PackageURL("pypi", None, name.replace("_", "-"), version).to_string(),
            **_sha256(digest.of_file(wheel)),
        }
    for name in sorted(ingredients.files):
        file = tree / REPOSITORY / name
        if file.is_file():
            known = {"name": f"{REPOSITORY}/{name}", **_sha256(digest.of_file(file))}
            yield {**known, "annotations": {"from": ingredients.files[name]}}


def _measured(name: str, digest_of_it: str, figures: Any) -> dict[str, Any]:
    """What a check was made on, and what it measured."""
    return {"name": name, **_sha256(digest_of_it), **({"annotations": figures} if figures else {})}


def _source(source: Source) -> dict[str, Any]:
    """A revision is a commit of the hub, a digest of the files of a local folder, or the id of a stored model."""
    kind, _, value = source.revision.rpartition(":")
    of_hub = not kind and re.fullmatch("[0-9a-f]{40}", value)
    known = {"digest": {"gitCommit" if of_hub else SHORT_DIGEST: value}} if of_hub or kind == "sha256" else {}
    licence = {"licence": source.licence} if source.licence else {}
    annotations = {"revision": source.revision, **licence}
    return {"name": source.name, "uri": source.reference, **known, "annotations": annotations}


def _base(base: Base) -> dict[str, Any]:
    known = _sha256(base.digest) if base.digest else {}
    platform = f" for {base.platform}" if base.platform else ""
    return {"name": f"base image: {base.role}{platform}", "uri": f"docker://{base.image}", **known}


def _sha256(found: str) -> dict[str, Any]:
    return {"digest": {"sha256": found.removeprefix("sha256:")}}
