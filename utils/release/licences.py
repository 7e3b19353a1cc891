"""Licences: as wheels and model cards write them, in SPDX's spelling."""

import re
import zipfile
from importlib.metadata import PackageMetadata, PathDistribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.license import License
from cyclonedx.spdx import fixup_id, is_expression

# A wheel's `License` may be the whole text of a licence.
LONGEST_NAME = 100


def spdx(name: str) -> str:
    """The SPDX identifier or expression for `name`; `LicenseRef-NAME` if SPDX has none; "" for none."""
    if not name:
        return ""
    if found := fixup_id(name):
        return found
    if is_expression(name):
        return name
    return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def as_components_have_it(name: str) -> list[License]:
    """For a component of CycloneDX."""
    return [LicenseFactory().make_from_string(name)] if name else []


def of_wheel(wheel: Path) -> str:
    """What the metadata of a wheel states: License-Expression, else a short License, else the classifiers."""
    with zipfile.ZipFile(wheel) as archive:
        [folder] = {name.split("/")[0] for name in archive.namelist() if name.endswith(".dist-info/METADATA")}
        return _stated(PathDistribution(zipfile.Path(archive, f"{folder}/")).metadata)


def _stated(metadata: PackageMetadata) -> str:
    for name in (metadata[field] for field in ("License-Expression", "License") if field in metadata):
        if name and len(name) <= LONGEST_NAME and "\n" not in name:
            return name
    classifiers = [
        each.split(" :: ")[-1] for each in metadata.get_all("Classifier") or [] if each.startswith("License")
    ]
    return " AND ".join(classifiers)
