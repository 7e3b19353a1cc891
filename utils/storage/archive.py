"""Opens the archive a model store hands out: zip or tar, checked first, never outside its folder.

The SDK's own extraction takes a damaged archive for a plain file and follows what the archive says; this does neither.
"""

import contextlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from utils.errors import SourceError

_SUFFIXES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz"}
_FIRST_BYTES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_DAMAGE = (zipfile.BadZipFile, tarfile.ReadError, EOFError, zlib.error, lzma.LZMAError, NotImplementedError)


def unpack(archive: Path, destination: Path, reference: str) -> Path:
    """Extracts into `destination`; gives the folder that holds the files, also if they lie one folder down."""
    destination.mkdir(parents=True, exist_ok=True)
    with _explained(reference):
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, destination, reference)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, destination, reference)
        elif _claims_to_be_one(archive):
            raise tarfile.ReadError
        else:
            raise SourceError(
                f"{reference} is a single file ({archive.name!r}), not an archive; register the whole model folder "
                "as a zip or tar archive"
            )
    return _one_level_down(destination)


@contextlib.contextmanager
def _explained(reference: str) -> Iterator[None]:
    try:
        yield
    except tarfile.FilterError as error:
        raise SourceError(_refusal(reference, error.tarinfo.name)) from error
    except _DAMAGE as error:
        raise SourceError(f"the archive of {reference} is damaged or cut short; register the model again") from error


def _unpack_zip(archive: Path, destination: Path, reference: str) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            if _leads_out(member.filename) or stat.S_ISLNK(member.external_attr >> 16):
                raise SourceError(_refusal(reference, member.filename))
            if member.flag_bits & 0x1:
                raise SourceError(f"the archive of {reference} has a password; register the model without one")
        opened.extractall(destination)


def _unpack_tar(archive: Path, destination: Path, reference: str) -> None:
    with tarfile.open(archive) as opened:
        for member in opened:
            # The filter below would make an absolute name relative; such an archive is not to be trusted at all.
            if _leads_out(member.name):
                raise SourceError(_refusal(reference, member.name))
        _check_end(opened)
        opened.extractall(destination, filter="data")


def _check_end(opened: tarfile.TarFile) -> None:
    """Python takes a tar that was cut between two members for a whole one; a whole one ends with a block of zeros."""
    if opened.fileobj:
        opened.fileobj.seek(opened.offset)
        if opened.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError


def _leads_out(name: str) -> bool:
    """Read as Windows would: that knows both separators, drives, and everything a POSIX path can say."""
    path = PureWindowsPath(name)
    return bool(path.anchor) or ".." in path.parts


def _refusal(reference: str, member: str) -> str:
    return (
        f"the archive of {reference} has the member {member!r}, which leads out of its folder or is a link or device; "
        "nothing of it is used: register the model again with plain files"
    )


def _claims_to_be_one(file: Path) -> bool:
    with file.open("rb") as stream:
        return file.suffix.lower() in _SUFFIXES or stream.read(8).startswith(_FIRST_BYTES)


def _one_level_down(folder: Path) -> Path:
    """Who packs a folder often packs the folder itself."""
    visible = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    return visible[0] if len(visible) == 1 and visible[0].is_dir() else folder
