"""Where a build writes: a private folder below build/, moved to its place in one step after all checks passed.

build/<name>/<tag>/              the last good build
build/.unfinished/<name>/<tag>/  a finished model repository whose image could not be built or failed its proof
build/.work/<random>/            running builds, and what killed builds left
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from utils.host import exceptions, installed, lock
from utils.host.errors import UsageError
from utils.host.exchange import exchange, put_back

BUILD = installed.build_folder()
WORK = ".work"
UNFINISHED = ".unfinished"
# A folder without this file is never deleted. A running build holds a lock on it.
SENTINEL = ".triton-image-factory"


@dataclass(frozen=True, kw_only=True)
class BuildTree:
    """A build's private folder and its final place."""

    folder: Path
    model_name: str
    tag: str

    @property
    def final(self) -> Path:
        """build/<name>/<tag>."""
        return BUILD / self.model_name / self.tag

    @property
    def unfinished(self) -> Path:
        """Where the tree is kept when only the image is missing."""
        return BUILD / UNFINISHED / self.model_name / self.tag


@contextlib.contextmanager
def open_build_tree(model_name: str, tag: str) -> Iterator[BuildTree]:
    """A private folder for one build; removed at the end unless it was moved to its place."""
    try:
        (BUILD / WORK).mkdir(parents=True, exist_ok=True)
        with _whole_build_locked():
            _sweep()
            folder = Path(tempfile.mkdtemp(prefix=f"{model_name[:40]}-{tag[:40]}-", dir=BUILD / WORK))
            folder.chmod(0o755)
            held = contextlib.ExitStack()
            held.enter_context(lock.exclusive(folder / SENTINEL))
    except OSError as error:
        reason = exceptions.machine_fault(error) or f"{error.strerror}; make it a writable folder"
        raise UsageError(f"cannot write builds to {str(BUILD)!r}: {reason}") from error
    try:
        yield BuildTree(folder=folder, model_name=model_name, tag=tag)
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
        held.close()


def move_into_place(folder: Path, destination: Path) -> Path:
    """Moves `folder` to `destination`, replacing a build tree there; returns `destination`.

    Where the file system allows, the exchange is one step: a reader, or the next build after a power cut, finds either
    the old tree or the new one.
    """
    with _whole_build_locked():
        destination.parent.mkdir(parents=True, exist_ok=True)
        if not destination.exists():
            folder.rename(destination)
            return destination
        require_sentinel(destination)
        exchange(folder, destination, aside=BUILD / WORK)
    shutil.rmtree(folder, ignore_errors=True)
    return destination


def place_of(folder: Path) -> Path | None:
    """The final place of a tree in build/.unfinished; None for any other folder."""
    parts = folder.relative_to(BUILD / UNFINISHED).parts if folder.is_relative_to(BUILD / UNFINISHED) else ()
    return BUILD.joinpath(*parts) if len(parts) == 2 else None


def require_sentinel(folder: Path) -> None:
    """UsageError for a folder that this project did not create."""
    if not (folder / SENTINEL).is_file():
        raise UsageError(f"{str(folder)!r} has no {SENTINEL}: this project did not create it and leaves it as it is")


def is_running(folder: Path) -> bool:
    """True while the build that owns `folder` runs."""
    return lock.is_held(folder / SENTINEL)


def remove(folder: Path) -> None:
    """Deletes a build tree, then its parent folders below build/ that are empty."""
    require_sentinel(folder)
    shutil.rmtree(folder)
    for parent in folder.parents:
        if parent == BUILD.parent or any(parent.iterdir()):
            break
        parent.rmdir()


def discard(folder: Path) -> None:
    """Deletes an outdated build tree, if it exists and no process uses it."""
    with _whole_build_locked():
        if (folder / SENTINEL).is_file() and not is_running(folder):
            with contextlib.suppress(OSError):
                remove(folder)


def _sweep() -> None:
    """Removes what killed builds left. Runs under the lock: every folder is either new and locked, or unused."""
    for folder in (BUILD / WORK).iterdir():
        if folder.is_symlink() or is_running(folder):
            continue
        if put_back(folder):
            continue
        if (folder / SENTINEL).is_file():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # killed before it got its sentinel: it is empty
                folder.rmdir()


@contextlib.contextmanager
def _whole_build_locked() -> Iterator[None]:
    BUILD.mkdir(exist_ok=True)
    with lock.exclusive(BUILD / ".lock"):
        yield


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Marks a finished tree as in use. Raises UsageError when another process uses it.

    A tree without a sentinel (a copy, say) needs no lock: no build touches it.
    """
    if not (folder / SENTINEL).is_file():
        yield
        return
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock.exclusive(folder / SENTINEL, wait=False))
        except BlockingIOError:
            raise UsageError(f"{str(folder)!r} is in use by another build; wait until it ends, then retry") from None
        yield
