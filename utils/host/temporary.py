"""Folders for temporary files: of a build, and of a child process."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from utils.host.children import is_dead, this_process

FOLDER = "tmp"
_PREFIX, _OWNER = "triton-image-", ".owner"


@contextlib.contextmanager
def temporary_files_in(tree: Path) -> Iterator[None]:
    """Temporary files of this process and its children go below `tree`, where clean-up finds them after a kill."""
    place = tree / FOLDER
    place.mkdir(exist_ok=True)
    variable, cached = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = str(place)
    try:
        yield
    finally:
        os.environ.pop("TMPDIR")
        if variable is not None:
            os.environ["TMPDIR"] = variable
        tempfile.tempdir = cached
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder that is removed with everything in it; first those that killed processes left are.

    Its name is short, because programs put Unix sockets, whose paths have at most 107 bytes, into temporary folders.
    """
    for found in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if is_dead((found / _OWNER).read_text()):
                shutil.rmtree(found)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder:
        (Path(folder) / _OWNER).write_text(this_process())
        yield Path(folder)
