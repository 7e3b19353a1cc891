"""The grammars of the names in a build's options: model name, tag, image reference."""

import re

from utils import ROOT
from utils.host.errors import UsageError

# A model name is a Triton model name (a folder) and, after "tritoned_", a Docker repository; the narrower grammar
# applies. Sources: distribution/reference (grammar in reference.go; normalize.go for Docker's command line) and
# Triton's model repository layout.
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
# Docker takes the first part as a host only if it has a dot or a port, or is localhost. `Team/topics` is neither a host
# nor a lower-case name, so it is refused.
_PORT = r":[0-9]{1,5}"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})+(?:{_PORT})?|{_LABEL}{_PORT}|localhost|\[[0-9a-fA-F:]+\](?:{_PORT})?)"
_REPOSITORY = rf"(?:{_HOST}/)?{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
# The digest algorithms of the OCI specification, with their lengths.
_DIGEST = r"(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
# Docker reads 64 hexadecimal digits as an image id.
_IMAGE_ID = r"[0-9a-f]{64}"
MAX_MODEL_NAME = 128
MAX_REPOSITORY = 255


def internal_model_names() -> set[str]:
    """The names of steps in a model repository, which a served model cannot have."""
    folders = {path.name for path in (ROOT / "model_repository").iterdir() if path.is_dir()}
    return folders - {"ensemble", "shared"}


def check_model_name(name: str) -> str:
    """`name`, or UsageError with the grammar of a model name."""
    if not re.fullmatch(_PATH_COMPONENT, name) or len(name) > MAX_MODEL_NAME:
        raise UsageError(
            f"MODEL_NAME {name!r} cannot name both a Triton model and an image; use at most {MAX_MODEL_NAME} "
            "lower-case letters and digits, joined by single '.', '_', '__' or any number of '-'"
        )
    if name in internal_model_names():
        raise UsageError(f"MODEL_NAME {name!r} is the name of a step inside the model repository; choose another")
    return name


def check_step_name(name: str) -> str:
    """`name`, or UsageError: the name of a step must be a folder name that Triton accepts."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", name):
        raise UsageError(f"--step-name {name!r} cannot name a Triton model; use letters, digits, '_', '.' and '-'")
    return name


def check_added_name(name: str) -> str:
    """`name`, or UsageError: the name of a model added beside the served one."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", name) or name in internal_model_names():
        raise UsageError(
            f"--add-model {name!r} cannot name a Triton model here; use letters, digits, '_', '.' and '-', but not the "
            f"name of a step: {', '.join(sorted(internal_model_names()))}"
        )
    return name


def check_tag(tag: str) -> str:
    """`tag`, or UsageError with the grammar of a tag."""
    if not re.fullmatch(_TAG, tag):
        raise UsageError(
            f"TAG {tag!r} is not a Docker tag; use at most 128 letters, digits, '_', '.', '-', "
            "starting with a letter, digit or '_'"
        )
    return tag


def check_repository(repository: str) -> str:
    """An image repository without tag (`registry:5000/team/topics`), or UsageError."""
    if not _is_repository(repository):
        raise UsageError(
            f"--image {repository!r} is not an image repository; use [registry[:port]/]name[/name...] "
            "in lower case and without a tag: the tag is the TAG argument"
        )
    return repository


def check_image(option: str, reference: str) -> str:
    """A base image reference (`name[:tag][@digest]`), or UsageError naming `option`."""
    match = re.fullmatch(rf"({_REPOSITORY})(?::{_TAG})?(?:@{_DIGEST})?", reference)
    if not match or not _is_repository(match[1]):
        raise UsageError(f"{option} {reference!r} is not an image reference; use name[:tag] or name@digest")
    return reference


def _is_repository(text: str) -> bool:
    if len(text) > MAX_REPOSITORY or re.fullmatch(_IMAGE_ID, text):
        return False
    return re.fullmatch(_REPOSITORY, text) is not None
