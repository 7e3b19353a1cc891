"""Archives as other systems and tools make them. Those of zipfile and tarfile are in test_archive.py."""

import io
import tarfile
import zipfile

import pytest

from utils.host.errors import SourceError
from utils.sources.storage.archive import unpack

REFERENCE = "clearml:abc"


class Named(zipfile.ZipInfo):
    """A member whose name is written unchanged: zipfile itself would set the flag for UTF-8."""

    def __init__(self, name, flags):
        super().__init__(name.decode("latin-1"))
        self.written = (name, flags)

    def _encodeFilenameFlags(self):
        return self.written


def as_zip(path, members, *, flags=0):
    """Names are written as these bytes; `flags` are the general purpose bits of each member."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(Named(name, flags), content)
    return path


def as_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name.decode())
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("make", [as_zip, as_tar])
@pytest.mark.parametrize("folder", [b"", b"model\\", b"export\\2024\\model\\"])
def test_windows_separators_become_folders(tmp_path, make, folder):
    archive = make(tmp_path / "m", {folder + b"config.json": b"{}", folder + b"1_Pooling\\config.json": b"[]"})
    found = unpack(archive, tmp_path / "out", REFERENCE)
    assert (found / "config.json").read_bytes() == b"{}"
    assert (found / "1_Pooling/config.json").read_bytes() == b"[]"


@pytest.mark.parametrize("make", [as_zip, as_tar])
@pytest.mark.parametrize(
    "members",
    [
        {b"a/b/c/config.json": b"{}"},
        {b"model/config.json": b"{}", b"README.txt": b"of the one who packed it"},
        {b"export/model/tokenizer.json": b"{}", b"export/model/1_Pooling/config.json": b"{}", b"export/log.txt": b""},
        {b"export/modules.json": b"[]", b"export/0_Transformer/config.json": b"{}"},
    ],
    ids=["three deep", "a file beside it", "a log in between", "modules"],
)
def test_the_folder_with_the_files_is_found(tmp_path, make, members):
    found = unpack(make(tmp_path / "m", members), tmp_path / "out", REFERENCE)
    assert found == (tmp_path / "out" / next(iter(members)).decode()).parent


def test_two_models_in_an_archive_are_ambiguous(tmp_path):
    archive = as_zip(tmp_path / "m", {b"one/config.json": b"{}", b"two/config.json": b"{}"})
    assert unpack(archive, tmp_path / "out", REFERENCE) == tmp_path / "out"


@pytest.mark.parametrize(
    ("name", "flags", "meant"),
    [
        ("модель".encode(), 0, "модель"),
        ("модель".encode(), 0x800, "модель"),
        ("Größe".encode("cp437"), 0, "Größe"),
        ("модель".encode("cp866"), 0, "модель".encode("cp866").decode("cp437")),
        (("模型" * 30).encode(), 0, "模型" * 30),
    ],
    ids=["UTF-8 without the flag", "UTF-8", "code page 437", "another code page", "long"],
)
def test_names_of_any_encoding(tmp_path, name, flags, meant):
    archive = as_zip(tmp_path / "m.zip", {name + b"/config.json": b"{}"}, flags=flags)
    assert unpack(archive, tmp_path / "out", REFERENCE).name == meant


def test_an_unsupported_compression_is_reported(tmp_path):
    """Deflate64, as used by Windows Explorer for large files: only the number of the method is changed."""
    content = bytearray(as_zip(tmp_path / "m.zip", {b"config.json": b"{}"}).read_bytes())
    for mark, place in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        content[content.index(mark) + place] = 9
    (tmp_path / "m.zip").write_bytes(content)
    with pytest.raises(SourceError, match=r"Deflate64.*\.tar\.gz"):
        unpack(tmp_path / "m.zip", tmp_path / "out", REFERENCE)
