"""Whether an engine can run programs of a platform. Standard library only."""

import struct
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from utils.docker.engine import Engine
from utils.host.errors import UsageError
from utils.targets.platforms import PLATFORMS

_LOADED_AT = 0x400000


def require_runnable(engine: Engine, platform: str) -> None:
    """UsageError if the engine cannot run programs of `platform`, natively or emulated: nothing could be proven."""
    if platform == engine.native_platform():
        return
    with tempfile.TemporaryDirectory(prefix="triton-image-factory-") as folder:
        file = Path(folder) / "exit.tar"
        with tarfile.open(file, "w") as tar:
            entry = tarfile.TarInfo("exit")
            entry.mode, entry.size = 0o755, len(content := exit_program(platform))
            tar.addfile(entry, BytesIO(content))
        runs = engine.runs_import(file, "/exit")
    if not runs:
        raise UsageError(
            f"--platform {platform}: an image for it cannot be proven, because Docker's engine "
            f"({engine.native_platform()}) cannot run its programs; install qemu-user-static on the engine's machine "
            f"and register it (binfmt_misc, qemu-{PLATFORMS[platform].machine}), or build on a machine of that platform"
        )


def exit_program(platform: str) -> bytes:
    """A static ELF program of `platform` that only calls exit(0). Source of the layout: elf(5)."""
    target = PLATFORMS[platform]
    size = 64 + 56 + len(target.exits)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, target.elf, 1, _LOADED_AT + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _LOADED_AT, _LOADED_AT, size, size, 0x1000)
    return identity + header + segment + target.exits
