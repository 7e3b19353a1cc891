"""One cache of conversions for all builds of a test run: the same model with the same settings is converted once.

The cache is empty when a run starts. Only the project's own scripts, unchanged and in a process of their own, use it:
a test that patches the conversion in its process has no cache. A test of what a conversion prints gives --no-cache.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from utils.host.cache_folder import cache_folder, locked

VARIABLE = "CONVERSIONS_OF_THE_TEST_RUN"


def create() -> None:
    """Makes the cache of this run, unless the process that started this one made it. It is removed at exit."""
    if VARIABLE in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="conversions-of-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[VARIABLE] = str(folder)
    _share_wheels(folder)


def environment(**added: str) -> dict[str, str]:
    """The environment of a build that uses the cache: that of this process, the cache, and `added`."""
    return {**os.environ, "XDG_CACHE_HOME": os.environ[VARIABLE], "TRITON_FACTORY_CACHE_GB": "2", **added}


def _share_wheels(folder: Path) -> None:
    """Links the user's wheels and their lock into `folder`: a run downloads no wheel that is there."""
    wheels = cache_folder("wheels")
    with locked(wheels):
        pass  # makes the folder and its lock file
    own = folder / wheels.relative_to(wheels.parents[1])
    own.parent.mkdir()
    for source in (wheels, wheels.parent / f".{wheels.name}.lock"):
        (own.parent / source.name).symlink_to(source)
