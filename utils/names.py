"""The grammars of names a build takes: model name, tag, image reference."""

import re

from utils.errors import UsageError
from utils.tasks import internal_model_names

# A model name is a Triton model name (a folder) and, behind "tritoned_", a Docker repository; the narrower one
# decides. Sources: distribution/reference (path-component, tag) and Triton's model repository layout.
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])"
_REPOSITORY = rf"(?:{_HOST}(?::[0-9]+)?/)?{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
_DIGEST = r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}"
LONGEST_MODEL_NAME = 128
LONGEST_REPOSITORY = 255


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
    if not re.fullmatch(_REPOSITORY, repository) or len(repository) > LONGEST_REPOSITORY:
        raise UsageError(
            f"--image {repository!r} is not an image repository; write it as [registry[:port]/]name[/name...] "
            "in lower case and without a tag: the tag is the TAG argument"
        )
    return repository


def check_image(option: str, reference: str) -> str:
    """A base image reference (`name[:tag][@digest]`), or UsageError naming `option`."""
    if not re.fullmatch(rf"{_REPOSITORY}(?::{_TAG})?(?:@{_DIGEST})?", reference):
        raise UsageError(f"{option} {reference!r} is not an image reference; write it as name[:tag] or name@digest")
    return reference
