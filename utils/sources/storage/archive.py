"""Finds the folder of a model in a store, and extracts its zip or tar archive after checks, never outside its folder.

The SDK's own extraction treats a damaged archive as a plain file and does not check member names.
"""

import contextlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from utils.host.errors import SourceError

# The folder of a model, a tokenizer or a label map has one of these.
CONTENTS = ("config.json", "modules.json", "tokenizer.json", "tokenizer_config.json", "id2label.json", "labels.json")
_SUFFIXES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz"}
_FIRST_BYTES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_DAMAGE = (zipfile.BadZipFile, tarfile.ReadError, EOFError, zlib.error, lzma.LZMAError)
_UTF8_NAME = 0x800  # general purpose bit 11 (APPNOTE.TXT, 4.4.4); without it, names should be in code page 437
_DEEPEST = 8


def unpack(archive: Path, destination: Path, reference: str) -> Path:
    """Extracts into `destination`; returns the folder with the files, which may be a subfolder."""
    destination.mkdir(parents=True, exist_ok=True)
    with explained(reference):
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, destination, reference)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, destination, reference)
        elif _looks_like_archive(archive):
            raise tarfile.ReadError
        else:
            raise SourceError(
                f"{reference} is a single file ({archive.name!r}), not an archive; register the model folder as a "
                "zip or tar archive"
            )
    return _holding_folder(destination)


@contextlib.contextmanager
def explained(reference: str) -> Iterator[None]:
    """Raises the errors of damaged and unusual archives as SourceErrors."""
    try:
        yield
    except tarfile.FilterError as error:
        raise SourceError(_refusal(reference, error.tarinfo.name)) from error
    except NotImplementedError as error:
        raise SourceError(
            f"the archive of {reference} has a compression that Python's zipfile does not support (Windows Explorer "
            "uses Deflate64 for large files); pack the folder again as .tar.gz, or with `python -m zipfile -c`"
        ) from error
    except _DAMAGE as error:
        raise SourceError(f"the archive of {reference} is damaged or truncated; register the model again") from error


def _unpack_zip(archive: Path, destination: Path, reference: str) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            member.filename = _name(member)
            if is_outside(member.filename) or stat.S_ISLNK(member.external_attr >> 16):
                raise SourceError(_refusal(reference, member.filename))
            if member.flag_bits & 0x1:
                raise SourceError(f"the archive of {reference} has a password; register the model without one")
        opened.extractall(destination, opened.infolist())


def _name(member: zipfile.ZipInfo) -> str:
    """The intended name: some tools write backslashes as separators, and UTF-8 without its flag."""
    name = member.filename
    if not member.flag_bits & _UTF8_NAME:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _unpack_tar(archive: Path, destination: Path, reference: str) -> None:
    with tarfile.open(archive) as opened:
        for member in opened:
            # The filter below would make an absolute name relative; such an archive is refused instead.
            if is_outside(member.name):
                raise SourceError(_refusal(reference, member.name))
            member.name = member.name.replace("\\", "/")
        _check_end(opened)
        opened.extractall(destination, filter="data")


def _check_end(opened: tarfile.TarFile) -> None:
    """Refuses a tar truncated between two members, which Python accepts: a complete one ends with a block of zeros."""
    if opened.fileobj:
        opened.fileobj.seek(opened.offset)
        if opened.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError


def is_outside(name: str) -> bool:
    """True if a member's name leaves its folder, as Windows reads it: both separators, and drives."""
    path = PureWindowsPath(name)
    return bool(path.anchor) or ".." in path.parts


def _refusal(reference: str, member: str) -> str:
    return (
        f"the archive of {reference} has the member {member!r}, which is outside its folder, a link or a device; "
        "register the model again with plain files"
    )


def _looks_like_archive(file: Path) -> bool:
    with file.open("rb") as stream:
        return file.suffix.lower() in _SUFFIXES or stream.read(8).startswith(_FIRST_BYTES)


def _holding_folder(folder: Path) -> Path:
    """The folder with the files: archives often contain its parent folders, and other files beside it."""
    level = [folder]
    for _ in range(_DEEPEST):
        holding = [each for each in level if any((each / name).is_file() for name in CONTENTS)]
        if holding or not level:
            break
        level = [path for each in level for path in sorted(each.iterdir()) if path.is_dir() and _is_visible(path)]
    if len(holding) == 1:
        return holding[0]
    visible = [path for path in folder.iterdir() if _is_visible(path)]
    return visible[0] if len(visible) == 1 and visible[0].is_dir() else folder


def _is_visible(path: Path) -> bool:
    return not path.name.startswith((".", "__MACOSX"))


def held_below(names: Iterable[str], reference: str) -> str:
    """The folder with the files as a prefix, "model/" or "": stores often keep its parent folders.

    The one nearest to the root counts. SourceError if there are several.
    """
    folders = {PurePosixPath(name).parent for name in names if PurePosixPath(name).name in CONTENTS}
    least = min((len(folder.parts) for folder in folders), default=0)
    nearest = sorted(folder.as_posix() for folder in folders if len(folder.parts) == least)
    if len(nearest) > 1:
        raise SourceError(
            f"{reference} has model files in several folders ({', '.join(nearest)}); store one model in each"
        )
    return f"{nearest[0]}/" if least else ""
