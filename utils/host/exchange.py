"""Two folders change places, so that readers of the one find the old or the new, at any moment if possible."""

import ctypes
import errno
import os
import tempfile
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# File systems that cannot (NFS, say), and kernels that do not know.
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV)
# In a folder that is being replaced: where it belongs.
_NOTE = ".belongs-to"


def exchange(folder: Path, destination: Path, *, aside: Path) -> None:
    """`folder` and `destination`, both existing and on one file system, change places.

    In one step, or, where the file system cannot, by way of a folder in `aside`, from where `put_back` saves what a
    kill between the steps left.
    """
    if not _in_one_step(folder, destination):
        _by_way_of(Path(tempfile.mkdtemp(dir=aside)), folder, destination)


def put_back(folder: Path) -> bool:
    """True if `folder` was on its way in an exchange, and its place was empty: it stands there again."""
    try:
        place = Path((folder / _NOTE).read_text())
    except OSError:
        return False
    if place.exists():
        return False
    folder.rename(place)
    (place / _NOTE).unlink()
    return True


def _in_one_step(folder: Path, destination: Path) -> bool:
    """Linux's renameat2(2); a process that is killed leaves them exchanged or not."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if renameat2(_AT_FDCWD, os.fsencode(folder), _AT_FDCWD, os.fsencode(destination), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(folder), None, str(destination))


def _by_way_of(place: Path, folder: Path, destination: Path) -> None:
    (destination / _NOTE).write_text(str(destination))
    destination.rename(place)
    try:
        folder.rename(destination)
    except BaseException:
        if not destination.exists():
            place.rename(destination)
        raise
    place.rename(folder)
