"""sbom.cdx.json: what is in an image or a model repository, in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/).

The files of each component are nested in it, by their path in the image.
"""

import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from utils.docker.context import FILES, SERVING_REQUIREMENTS, WHEELHOUSE
from utils.docker.inventory import Owner
from utils.docker.wheel_locks import pin_of, read_lines
from utils.host import digest, installed, source_date
from utils.release import licences
from utils.release.documents import SBOM
from utils.release.ingredients import OURS, REPOSITORY, Base, Ingredients

# Serial numbers follow from the content: two builds of the same inputs with SOURCE_DATE_EPOCH have equal SBOMs.
_SERIALS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:triton-image-factory:sbom")
MODELS, SERVING = "/models", "/opt/serving"
SITE_FILE = "serving_site.py"  # in the site folder of the base's Python, which only the Dockerfile knows


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
    wheels = _serving_wheels(tree)
    components = [
        *_of_sources(tree, ingredients),
        *_of_wheels(wheels, owners),
        *_of_owners(ingredients, owners, wheels),
        *_of_bases(ingredients, owners),
        _of_triton(ingredients, owners),
        _of_factory(tree, ingredients),
    ]
    bom.components.update(components)
    all_parts = [(each.name, each.version, each.hashes) for whole in components for each in (whole, *whole.components)]
    bom.serial_number = uuid.uuid5(_SERIALS, f"{ingredients} {owners} {bom.metadata.timestamp} {all_parts}")
    bom.register_dependency(root, components)
    return bom


def _of_sources(tree: Path, ingredients: Ingredients) -> Iterator[Component]:
    """The model, the tokenizer and the others, with the files of the model repository that come from them."""
    kinds = {"tokenizer": ComponentType.DATA, "labels": ComponentType.DATA}
    for source in ingredients.sources:
        names = [name for name, of in ingredients.files.items() if of == source.name]
        yield Component(
            name=source.reference,
            version=source.revision,
            type=kinds.get(source.name, ComponentType.MACHINE_LEARNING_MODEL),
            bom_ref=f"source/{source.name}",
            licenses=licences.as_components_have_it(source.licence),
            properties=_properties(role=source.name),
            components=_tree_files(tree / REPOSITORY, MODELS, names),
        )


def _serving_wheels(tree: Path) -> dict[str, Path]:
    """{"name==version": wheel} of those that the image installs, without pip's."""
    requirements = tree / SERVING_REQUIREMENTS
    pins = read_lines(requirements) if requirements.is_file() else {}
    wheels = {pin_of(wheel.name): wheel for wheel in sorted((tree / WHEELHOUSE).glob("*.whl"))}
    return {pin: wheel for pin, wheel in wheels.items() if pin in pins}


def _of_wheels(wheels: Mapping[str, Path], owners: Collection[Owner]) -> Iterator[Component]:
    """The serving wheels, by "name==version". The hash is that of the wheel that was installed."""
    files = {_pin(owner): _files(owner) for owner in owners if owner.kind == "pypi" and not owner.platform}
    for pin, wheel in wheels.items():
        name, _, version = pin.partition("==")
        yield Component(
            name=name,
            version=version,
            bom_ref=f"wheel/{pin}",
            purl=PackageURL("pypi", None, name.replace("_", "-"), version),
            hashes=_hashes(digest.of_file(wheel)),
            licenses=licences.as_components_have_it(licences.of_wheel(wheel)),
            components=files.get(pin),
        )


def _of_owners(ingredients: Ingredients, owners: Collection[Owner], wheels: Collection[str]) -> Iterator[Component]:
    """Packages of the distribution, packages of Python in the base image, and folders without a package."""
    for owner in owners:
        if owner.kind == "deb":
            yield _part(owner, ingredients, f"deb/{owner.name}:{owner.package['architecture']}", purl=_deb_purl(owner))
        elif owner.kind == "pypi" and (owner.platform or _pin(owner) not in wheels):
            purl = PackageURL("pypi", None, owner.name, owner.version)
            yield _part(owner, ingredients, f"pypi/{_pin(owner)}", purl=purl)
        elif owner.kind == "folder" and owner.name != "/":
            yield _part(owner, ingredients, f"folder{owner.name}", description="Files that belong to no package")


def _part(owner: Owner, ingredients: Ingredients, reference: str, **values: Any) -> Component:
    [image] = [base.image for base in ingredients.bases if _is_of(owner, base, ingredients)]
    return Component(
        name=owner.name,
        version=owner.version or None,
        bom_ref=_unique(reference + ("/copied" if owner.copied else ""), owner.platform),
        properties=_properties(base_image=image, copied="yes" if owner.copied else "", platform=owner.platform),
        components=_files(owner),
        **values,
    )


def _of_bases(ingredients: Ingredients, owners: Collection[Owner]) -> Iterator[Component]:
    """The base images, with those of their files that belong to no package and to no folder of their own."""
    loose = [owner for owner in owners if owner.kind == "folder" and owner.name == "/"]
    for base in ingredients.bases:
        yield Component(
            name=base.image,
            version=base.digest or None,
            type=ComponentType.CONTAINER,
            bom_ref=_unique(f"base/{base.role}", base.platform),
            purl=_image_purl(base),
            properties=_properties(role=f"base image: {base.role}", platform=base.platform),
            components=[file for owner in loose if _is_of(owner, base, ingredients) for file in _files(owner)],
        )


def _of_triton(ingredients: Ingredients, owners: Collection[Owner]) -> Component:
    """Triton Inference Server: the files of its folder that belong to no package."""
    found = [owner for owner in owners if owner.kind == "triton"]
    version = next((owner.version for owner in found if owner.version), ingredients.triton)
    return Component(
        name="tritonserver",
        version=version,
        type=ComponentType.FRAMEWORK,
        bom_ref="triton",
        purl=PackageURL("github", "triton-inference-server", "server", f"v{version}"),
        licenses=licences.as_components_have_it("BSD-3-Clause"),
        components=[file for owner in found for file in _files(owner)],
    )


def _of_factory(tree: Path, ingredients: Ingredients) -> Component:
    """The files of this project: the supervisor and, in the model repository, configs and model.py."""
    ours = [name.removeprefix("deploy/") for name in FILES if name.startswith("deploy/")]
    deployed = [name for name in ours if not name.endswith(".sh") and name != SITE_FILE]
    repository = tree / REPOSITORY
    paths = [path.relative_to(repository).as_posix() for path in sorted(repository.rglob("*")) if path.is_file()]
    return Component(
        name=OURS,
        version=installed.VERSION,
        type=ComponentType.APPLICATION,
        bom_ref="factory",
        licenses=licences.as_components_have_it("Apache-2.0"),
        components=[
            *_tree_files(tree / "deploy", SERVING, deployed),
            *_tree_files(repository, MODELS, [path for path in paths if path not in ingredients.files]),
        ],
    )


def _is_of(owner: Owner, base: Base, ingredients: Ingredients) -> bool:
    """Copied files are of the Triton image, all others of the lowest layers: of the slim image if there is one."""
    has_slim = any(each.role == "slim" for each in ingredients.bases if each.platform == owner.platform)
    role = "triton" if owner.copied or not has_slim else "slim"
    return (base.role, base.platform) == (role, owner.platform)


def _pin(owner: Owner) -> str:
    return pin_of(f"{owner.name}-{owner.version}.whl")


def _files(owner: Owner) -> list[Component]:
    return [_file(file.path, file.sha256, owner.platform, copied_from=file.copied_from) for file in owner.files]


def _tree_files(folder: Path, place: str, names: Iterable[str]) -> list[Component]:
    return [_file(f"{place}/{name}", digest.of_file(folder / name)) for name in names if (folder / name).is_file()]


def _file(path: str, sha256: str, platform: str = "", **properties: str) -> Component:
    return Component(
        name=path,
        type=ComponentType.FILE,
        bom_ref=_unique(f"file{path}", platform),
        hashes=_hashes(sha256),
        properties=_properties(**properties),
    )


def _unique(reference: str, platform: str) -> str:
    return f"{reference}@{platform}" if platform else reference


def _hashes(sha256: str) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def _properties(**values: str) -> list[Property]:
    return [Property(name=f"{OURS}:{name}", value=value) for name, value in values.items() if value]


def _deb_purl(owner: Owner) -> PackageURL:
    package = owner.package
    vendor = package["distribution"].partition("-")[0] or "debian"
    upstream = package["source"]
    if package["source_version"] != owner.version:
        upstream += f"@{package['source_version']}"
    qualifiers = {"arch": package["architecture"], "distro": package["distribution"]}
    if upstream != owner.name:
        qualifiers["upstream"] = upstream
    return PackageURL("deb", vendor, owner.name, owner.version, qualifiers)


def _image_purl(base: Base) -> PackageURL | None:
    if not base.digest:
        return None
    repository = base.image.partition("@")[0]
    head, _, last = repository.rpartition("/")
    name, _, tag = last.partition(":")
    qualifiers = {"repository_url": f"{head or 'docker.io/library'}/{name}", **({"tag": tag} if tag else {})}
    return PackageURL("oci", None, name, base.digest, qualifiers)
