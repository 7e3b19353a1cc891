"""The name of an image in a registry. Source of the rules: distribution/reference (normalize.go)."""

import dataclasses
from dataclasses import dataclass

DOCKER_HUB = "docker.io"
# What Docker Hub is called in references, by its API and in docker's config.json.
_HUB_NAMES = (DOCKER_HUB, "index.docker.io")
_HUB_API = "registry-1.docker.io"
_HUB_CREDENTIALS = "https://index.docker.io/v1/"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """`host/name[:tag][@digest]`. `host` is empty for a name without a registry, such as tritoned_topics."""

    host: str
    name: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag, digest = self.tag and f":{self.tag}", self.digest and f"@{self.digest}"
        return f"{self.repository}{tag}{digest}"

    @property
    def repository(self) -> str:
        """`host/name`."""
        return f"{self.host}/{self.name}" if self.host else self.name

    @property
    def api_host(self) -> str:
        """The host that serves the registry's API."""
        return _HUB_API if self.host in _HUB_NAMES else self.host

    @property
    def api_name(self) -> str:
        """The repository's name in the API: Docker Hub keeps names without a user under library/."""
        return f"library/{self.name}" if self.host in _HUB_NAMES and "/" not in self.name else self.name

    @property
    def credentials_key(self) -> str:
        """The registry's key in docker's config.json."""
        return _HUB_CREDENTIALS if self.host in _HUB_NAMES else self.host

    def by_tag(self, tag: str) -> "Reference":
        """The same repository with another tag and no digest."""
        return dataclasses.replace(self, tag=tag, digest="")

    def by_digest(self, digest: str) -> "Reference":
        """The same repository with a digest and no tag: what does not move."""
        return dataclasses.replace(self, tag="", digest=digest)


def parse_reference(text: str) -> Reference:
    """The parts of a reference whose grammar was checked before (utils/repository/names.py)."""
    rest, _, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    repository = f"{head}{slash}{last}"
    host, slash, name = repository.partition("/")
    if not slash or not (host == "localhost" or "." in host or ":" in host):
        host, name = "", repository
    return Reference(host=host, name=name, tag=tag, digest=digest)
