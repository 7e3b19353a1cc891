"""The options of a push: where a proven image goes, and what it may replace there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.release.reference import parse_reference

DEFAULT_PUSH_TIMEOUT = 3600


@dataclass(frozen=True, kw_only=True)
class Publication:
    """The options of the same names. Without `push` the image stays on the engine."""

    push: bool = False
    move_tag: bool = False
    push_timeout: int = DEFAULT_PUSH_TIMEOUT
    sign_key: Path | None = None

    def as_options(self) -> list[str]:
        """The same on a command line, without defaults."""
        timeout = [] if self.push_timeout == DEFAULT_PUSH_TIMEOUT else ["--push-timeout", str(self.push_timeout)]
        key = [] if self.sign_key is None else ["--sign-key", str(self.sign_key)]
        return [*(["--push"] if self.push else []), *(["--move-tag"] if self.move_tag else []), *timeout, *key]


def parse_publication(values: Mapping[str, Any]) -> Publication:
    """The options in `values`; UsageError for those that exclude each other."""
    push = "push" in values
    for name in ("no_image", "no_verify"):
        if push and name in values:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"--push is not possible with {option}: only a proven image is pushed; leave one out")
    for name in ("move_tag", "push_timeout", "sign_key"):
        if name in values and not push:
            raise UsageError(f"--{name.replace('_', '-')} is for --push; add --push, or leave it out")
    timeout = whole_number("--push-timeout", values.get("push_timeout") or str(DEFAULT_PUSH_TIMEOUT))
    key = Path(values["sign_key"]).absolute() if "sign_key" in values else None
    return Publication(push=push, move_tag="move_tag" in values, push_timeout=timeout, sign_key=key)


def require_registry(publication: Publication, image: str) -> None:
    """UsageError if `image`, a reference, does not say to which registry it is pushed."""
    if publication.push and not parse_reference(image).host:
        raise UsageError(
            f"--push needs a registry, and the image {image!r} names none; use --image registry.example.org/team/name, "
            "or docker.io/user/name for Docker Hub"
        )
