"""Which versions of a model are served: --version-policy, and the form it has in a model config."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from utils.host.errors import UsageError

_LATEST = re.compile(r"latest:([1-9][0-9]{0,5})")
_SPECIFIC = re.compile(r"specific:([1-9][0-9]{0,8}(?:,[1-9][0-9]{0,8})*)")


@dataclass(frozen=True, kw_only=True)
class VersionPolicy:
    """`latest`: so many of the highest numbers; `specific`: these; neither: all of them."""

    latest: int | None = None
    specific: tuple[int, ...] = ()

    def served(self, versions: Collection[int]) -> set[int]:
        """Those of `versions` that a server with this policy loads."""
        if self.latest is not None:
            return set(sorted(versions)[-self.latest :])
        return set(self.specific) if self.specific else set(versions)

    def __str__(self) -> str:
        """As config.pbtxt has it. Source: ModelVersionPolicy in model_config.proto."""
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
    raise UsageError(f"--version-policy is {text!r}; it is all, latest:N (the N highest) or specific:N,N")
