"""The versions of a model that are served: --version-policy and its form in a model config."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from utils.host.errors import UsageError

_LATEST = re.compile(r"latest:([1-9][0-9]{0,5})")
_SPECIFIC = re.compile(r"specific:([1-9][0-9]{0,8}(?:,[1-9][0-9]{0,8})*)")


@dataclass(frozen=True, kw_only=True)
class VersionPolicy:
    """Serves the `latest` highest version numbers, the `specific` ones, or, with neither set, all."""

    latest: int | None = None
    specific: tuple[int, ...] = ()

    def served(self, versions: Collection[int]) -> set[int]:
        """The subset of `versions` that a server with this policy loads."""
        if self.latest is not None:
            return set(sorted(versions)[-self.latest :])
        return set(self.specific) if self.specific else set(versions)

    def __str__(self) -> str:
        """The policy in config.pbtxt. Source: ModelVersionPolicy in model_config.proto."""
        if self.latest is not None:
            return f"latest {{ num_versions: {self.latest} }}"
        if self.specific:
            return f"specific {{ versions: [ {', '.join(map(str, self.specific))} ] }}"
        return "all { }"


def parse_policy(text: str) -> VersionPolicy:
    """`all`, `latest:2` or `specific:1,3`; UsageError for anything else."""
    if text == "all":
        return VersionPolicy()
    if match := _LATEST.fullmatch(text):
        return VersionPolicy(latest=int(match[1]))
    if match := _SPECIFIC.fullmatch(text):
        return VersionPolicy(specific=tuple(sorted(set(map(int, match[1].split(","))))))
    raise UsageError(f"--version-policy is {text!r}; use all, latest:N (the N highest) or specific:N,N")
