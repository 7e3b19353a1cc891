"""Exchanges two folders, in one step if possible, so that readers find either the old or the new one."""

import ctypes
import errno
import os
import tempfile
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# File systems (NFS, say) and kernels without RENAME_EXCHANGE.
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV)
# In a folder that is being replaced: its place.
_NOTE = ".belongs-to"


def exchange(folder: Path, destination: Path, *, aside: Path) -> None:
    """Exchanges `folder` and `destination`, which exist on one file system.

    In one step, or, where the file system cannot, through a folder in `aside`: after a kill between the steps,
    `put_back` restores from there.
    """
    if not _in_one_step(folder, destination):
        _through(Path(tempfile.mkdtemp(dir=aside)), folder, destination)


def put_back(folder: Path) -> bool:
    """Restores a `folder` left by an interrupted exchange; True if it was one and its place was empty."""
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
    """Linux renameat2(2), which is atomic. False when it is not supported."""
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


def _through(place: Path, folder: Path, destination: Path) -> None:
    (destination / _NOTE).write_text(str(destination))
    destination.rename(place)
    try:
        folder.rename(destination)
    except BaseException:
        if not destination.exists():
            place.rename(destination)
        raise
    place.rename(folder)
