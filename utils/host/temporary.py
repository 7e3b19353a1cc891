"""The folder for temporary files of a build."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = "tmp"


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
