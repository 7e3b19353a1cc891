"""The options of a push: where a proven image goes, and what it may replace there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.docker.client import BUILDX, BUILT_IN
from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.registry.reference import parse_reference
from utils.targets.platforms import PLATFORMS

DEFAULT_PUSH_TIMEOUT = 3600
INLINE = "type=inline"


@dataclass(frozen=True, kw_only=True)
class Publication:
    """The options of the same names. Without `push` the image stays on the engine."""

    push: bool = False
    move_tag: bool = False
    push_timeout: int = DEFAULT_PUSH_TIMEOUT
    sign_key: Path | None = None
    platforms: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()

    def cache_options(self, builder: str) -> list[str]:
        """The options of `docker build` for a builder (utils/docker/client.py); UsageError if it lacks one."""
        if builder != BUILDX:
            for value in self.cache_from:
                if "=" in value:
                    image = "name an image, such as registry.example.org/team/name:v1"
                    raise _lacking(builder, f"--cache-from {value}", image)
            for value in self.cache_to:
                if builder != BUILT_IN or value != INLINE:
                    other = f"use --cache-to {INLINE}" if builder == BUILT_IN else "leave it out"
                    raise _lacking(builder, f"--cache-to {value}", other)
        options = [part for value in self.cache_from for part in ("--cache-from", value)]
        if builder == BUILT_IN:
            return options + (["--build-arg", "BUILDKIT_INLINE_CACHE=1"] if self.cache_to else [])
        return options + [part for value in self.cache_to for part in ("--cache-to", value)]

    def as_options(self) -> list[str]:
        """The same on a command line, without defaults and without the platforms, which a build tree knows."""
        timeout = [] if self.push_timeout == DEFAULT_PUSH_TIMEOUT else ["--push-timeout", str(self.push_timeout)]
        key = [] if self.sign_key is None else ["--sign-key", str(self.sign_key)]
        caches = [("--cache-from", each) for each in self.cache_from] + [("--cache-to", each) for each in self.cache_to]
        flags = [*(["--push"] if self.push else []), *(["--move-tag"] if self.move_tag else [])]
        return [*flags, *timeout, *key, *(part for pair in caches for part in pair)]


def _lacking(builder: str, option: str, instead: str) -> UsageError:
    return UsageError(f"{option} needs docker's buildx plugin, and this docker builds with {builder}; {instead}")


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
    platforms = _platforms(values["platform"], push) if values.get("platform") else ()
    caches = {name: tuple(values.get(name, ())) for name in ("cache_from", "cache_to")}
    for name, chosen in (("platform", platforms), *caches.items()):
        option = f"--{name.replace('_', '-')}"
        if chosen and "no_image" in values:
            raise UsageError(f"{option} is for an image, and --no-image builds none; leave one of them out")
        if chosen and name == "cache_from" and "no_cache" in values:
            raise UsageError(f"{option} and --no-cache exclude each other; leave one of them out")
    move_tag = "move_tag" in values
    return Publication(push=push, move_tag=move_tag, push_timeout=timeout, sign_key=key, platforms=platforms, **caches)


def _platforms(text: str, push: bool) -> tuple[str, ...]:
    platforms = tuple(part.strip() for part in text.split(","))
    for platform in platforms:
        if platform not in PLATFORMS or platforms.count(platform) > 1:
            known = ", ".join(PLATFORMS)
            raise UsageError(f"--platform is {text!r}; name each of {known} at most once, joined by commas")
    if len(platforms) > 1 and not push:
        raise UsageError(f"--platform {text}: only a registry holds several platforms under one name; add --push")
    return platforms


def with_tag(image: str) -> str:
    """The reference with docker's default tag if it has neither a tag nor a digest."""
    reference = parse_reference(image)
    return image if reference.tag or reference.digest else str(reference.by_tag("latest"))


def require_registry(publication: Publication, image: str) -> None:
    """UsageError if `image`, a reference, does not say to which registry and tag it is pushed."""
    reference = parse_reference(image)
    if publication.push and reference.digest:
        raise UsageError(f"--push sets a tag, and the image {image!r} is named by a digest; name it by a tag")
    if publication.push and not reference.host:
        raise UsageError(
            f"--push needs a registry, and the image {image!r} names none; use --image registry.example.org/team/name, "
            "or docker.io/user/name for Docker Hub"
        )
