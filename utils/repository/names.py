"""The grammars of names a build takes: model name, tag, image reference."""

import re

from utils import ROOT
from utils.host.errors import UsageError

# A model name is a Triton model name (a folder) and, behind "tritoned_", a Docker repository; the narrower one
# decides. Sources: distribution/reference (grammar in reference.go; normalize.go for what Docker's command line adds)
# and Triton's model repository layout.
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
# Docker takes the first part for a host only when it cannot be a part of the name: it has a dot or a port, or is
# localhost. `Team/topics` would be neither, so it is refused with the hint that names are in lower case.
_PORT = r":[0-9]{1,5}"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})+(?:{_PORT})?|{_LABEL}{_PORT}|localhost|\[[0-9a-fA-F:]+\](?:{_PORT})?)"
_REPOSITORY = rf"(?:{_HOST}/)?{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
# The algorithms an engine knows, each with its length.
_DIGEST = r"(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
# 64 hexadecimal digits are an image's id to Docker, never a name.
_IMAGE_ID = r"[0-9a-f]{64}"
LONGEST_MODEL_NAME = 128
LONGEST_REPOSITORY = 255


def internal_model_names() -> set[str]:
    """Names that steps take in a model repository; a served model cannot have one of them."""
    folders = {path.name for path in (ROOT / "model_repository").iterdir() if path.is_dir()}
    return folders - {"ensemble", "shared"}


def check_model_name(name: str) -> str:
    """`name`, or UsageError saying what a model name may be."""
    if not re.fullmatch(_PATH_COMPONENT, name) or len(name) > LONGEST_MODEL_NAME:
        raise UsageError(
            f"MODEL_NAME {name!r} cannot name both a Triton model and an image; use at most {LONGEST_MODEL_NAME} "
            "lower-case letters and digits, joined by single '.', '_', '__' or any number of '-'"
        )
    if name in internal_model_names():
        raise UsageError(f"MODEL_NAME {name!r} is the name of a step inside the model repository; choose another")
    return name


def check_step_name(name: str) -> str:
    """`name`, or UsageError: a step is a Triton model, its name that of a folder."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", name):
        raise UsageError(f"--step-name {name!r} cannot name a Triton model; use letters, digits, '_', '.' and '-'")
    return name


def check_added_name(name: str) -> str:
    """`name`, or UsageError: likewise for a model added beside the served one."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", name) or name in internal_model_names():
        raise UsageError(
            f"--add-model {name!r} cannot name a Triton model here; use letters, digits, '_', '.' and '-', and none of "
            f"the names that steps have: {', '.join(sorted(internal_model_names()))}"
        )
    return name


def check_tag(tag: str) -> str:
    """`tag`, or UsageError saying what a tag may be."""
    if not re.fullmatch(_TAG, tag):
        raise UsageError(
            f"TAG {tag!r} is not a Docker tag; use at most 128 letters, digits, '_', '.', '-', "
            "the first of them a letter, digit or '_'"
        )
    return tag


def check_repository(repository: str) -> str:
    """An image repository without tag (`registry:5000/team/topics`), or UsageError."""
    if not _is_repository(repository):
        raise UsageError(
            f"--image {repository!r} is not an image repository; write it as [registry[:port]/]name[/name...] "
            "in lower case and without a tag: the tag is the TAG argument"
        )
    return repository


def check_image(option: str, reference: str) -> str:
    """A base image reference (`name[:tag][@digest]`), or UsageError naming `option`."""
    match = re.fullmatch(rf"({_REPOSITORY})(?::{_TAG})?(?:@{_DIGEST})?", reference)
    if not match or not _is_repository(match[1]):
        raise UsageError(f"{option} {reference!r} is not an image reference; write it as name[:tag] or name@digest")
    return reference


def _is_repository(text: str) -> bool:
    if len(text) > LONGEST_REPOSITORY or re.fullmatch(_IMAGE_ID, text):
        return False
    return re.fullmatch(_REPOSITORY, text) is not None
