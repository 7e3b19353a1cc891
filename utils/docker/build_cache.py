"""--cache-from and --cache-to, in the words of the builder at hand. Standard library only."""

from collections.abc import Sequence

from utils.docker.client import BUILDX, BUILT_IN
from utils.host.errors import UsageError

INLINE = "type=inline"


def cache_options(builder: str, cache_from: Sequence[str], cache_to: Sequence[str]) -> list[str]:
    """The options of `docker build`; UsageError for one that the builder lacks, before anything slow runs."""
    if builder != BUILDX:
        for value in cache_from:
            if "=" in value:
                raise _lacking(
                    builder, f"--cache-from {value}", "name an image, such as registry.example.org/team/name:v1"
                )
        for value in cache_to:
            if builder != BUILT_IN or value != INLINE:
                other = f"use --cache-to {INLINE}" if builder == BUILT_IN else "leave it out"
                raise _lacking(builder, f"--cache-to {value}", other)
    options = [part for value in cache_from for part in ("--cache-from", value)]
    if builder == BUILT_IN:
        return options + (["--build-arg", "BUILDKIT_INLINE_CACHE=1"] if cache_to else [])
    return options + [part for value in cache_to for part in ("--cache-to", value)]


def _lacking(builder: str, option: str, instead: str) -> UsageError:
    return UsageError(f"{option} needs docker's buildx plugin, and this docker builds with {builder}; {instead}")
