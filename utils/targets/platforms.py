"""The platforms of images. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A platform that NVIDIA's images have.

    `architecture` is docker's name for it, `machine` that of wheels. A program is recognised by `elf` (e_machine), and
    `exits` are the instructions of exit(0).
    """

    architecture: str
    machine: str
    elf: int
    exits: bytes

    @property
    def name(self) -> str:
        """Like "linux/amd64"."""
        return f"linux/{self.architecture}"


_ALL = (
    Platform(architecture="amd64", machine="x86_64", elf=62, exits=bytes.fromhex("31ff b83c000000 0f05")),
    Platform(architecture="arm64", machine="aarch64", elf=183, exits=bytes.fromhex("000080d2 a80b80d2 010000d4")),
)
PLATFORMS = {platform.name: platform for platform in _ALL}
# By docker's architecture.
MACHINES = {platform.architecture: platform.machine for platform in _ALL}
