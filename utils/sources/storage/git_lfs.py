"""Files of git-lfs: a pointer in the repository, the content on a server. Source: git-lfs, docs/spec.md."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from utils.host import digest
from utils.host.errors import SourceError
from utils.sources.storage.git_client import Git

_LARGEST_POINTER = 1024
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(ext-.*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """The SHA-256 digest and the size in bytes of a file's content; `text` is the pointer itself."""

    digest: str
    size: int
    text: bytes


def pointer_in(file: Path) -> Pointer | None:
    """The pointer that a file of the repository is, or None for an ordinary file."""
    if file.stat().st_size > _LARGEST_POINTER:
        return None
    text = file.read_bytes()
    match = _POINTER.fullmatch(text)
    return Pointer(digest=match[2].decode(), size=int(match[3]), text=text) if match else None


def download(git: Git, pointer: Pointer, file: Path, name: str) -> None:
    """Writes the content that `pointer` names to `file`, by git-lfs. SourceError for another content."""
    git.run_to(file, "lfs", "smudge", "--", name, content=pointer.text)
    if git.folder:
        shutil.rmtree(git.folder / "lfs")  # its cache has the content a second time
    # git-lfs checks what it downloads; some settings, such as lfs.skipdownloaderrors, return the pointer instead.
    if file.stat().st_size != pointer.size or digest.of_file(file) != pointer.digest:
        raise SourceError(
            f"git-lfs gives another content for {name!r} than the pointer in the repository names (sha256 "
            f"{pointer.digest}); check .lfsconfig and git's lfs. settings"
        )
