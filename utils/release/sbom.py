"""sbom.cdx.json: what is in an image or a model repository, in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/)."""

import json
import uuid
from collections.abc import Collection
from pathlib import Path

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6

from utils.docker.inventory import Owner
from utils.host import installed, source_date
from utils.release import sbom_parts as parts
from utils.release.documents import SBOM
from utils.release.ingredients import OURS, Ingredients

# Serial numbers follow from the content: two builds of the same inputs with SOURCE_DATE_EPOCH have equal SBOMs.
_SERIALS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:triton-image-factory:sbom")


def write_sbom(tree: Path, ingredients: Ingredients, owners: Collection[Owner]) -> Path:
    """Writes `tree`/sbom.cdx.json. The tests validate it: the import of the validator takes seconds.

    `owners`: the inventory of the built image, or none for a model repository without an image.
    """
    file = tree / SBOM.file
    text = JsonV1Dot6(_bom(tree, ingredients, owners)).output_as_string()
    file.write_text(json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def _bom(tree: Path, ingredients: Ingredients, owners: Collection[Owner]) -> Bom:
    root = Component(
        name=ingredients.name,
        version=ingredients.tag,
        type=ComponentType.CONTAINER if owners else ComponentType.APPLICATION,
        bom_ref="root",
    )
    factory = Component(name=OURS, version=installed.VERSION, type=ComponentType.APPLICATION, bom_ref="builder")
    bom = Bom(
        metadata=BomMetaData(component=root, tools=ToolRepository(components=[factory]), timestamp=source_date.now())
    )
    wheels = parts.serving_wheels(tree)
    components = [
        *parts.of_sources(tree, ingredients),
        *parts.of_wheels(wheels, owners),
        *parts.of_owners(ingredients, owners, wheels),
        *parts.of_bases(ingredients, owners),
        parts.of_triton(ingredients, owners),
        parts.of_factory(tree, ingredients),
    ]
    bom.components.update(components)
    all_parts = [(each.name, each.version, each.hashes) for whole in components for each in (whole, *whole.components)]
    bom.serial_number = uuid.uuid5(_SERIALS, f"{ingredients} {owners} {bom.metadata.timestamp} {all_parts}")
    bom.register_dependency(root, components)
    return bom
