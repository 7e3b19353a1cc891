import io
import stat
import tarfile
import zipfile

import pytest

from tests.loopback.clearml_server import zipped
from utils.host.errors import SourceError
from utils.sources.storage.archive import unpack

REFERENCE = "clearml:abc"


def _tar(path, members, mode="w:gz"):
    """members: name -> bytes, or a TarInfo for anything but a file."""
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def _zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("suffix", "mode"), [("tar", "w"), ("tar.gz", "w:gz"), ("tgz", "w:gz"), ("tar.bz2", "w:bz2"), ("tar.xz", "w:xz")]
)
def test_every_kind_of_tar_is_extracted(tmp_path, suffix, mode):
    archive = _tar(tmp_path / f"model.{suffix}", {"config.json": b"{}"}, mode)
    assert (unpack(archive, tmp_path / "out", REFERENCE) / "config.json").read_bytes() == b"{}"


def test_a_zip_with_any_name_is_extracted(tmp_path, model_folder):
    archive = tmp_path / "no_suffix"
    archive.write_bytes(zipped(model_folder))
    folder = unpack(archive, tmp_path / "out", REFERENCE)
    assert (folder / "model.safetensors").read_bytes() == (model_folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("make", [_tar, _zip])
def test_files_one_folder_down_are_found(tmp_path, make):
    archive = make(tmp_path / "model.archive", {"my_model/config.json": b"{}", "my_model/sub/x.txt": b"x"})
    assert unpack(archive, tmp_path / "out", REFERENCE) == tmp_path / "out" / "my_model"


def test_files_of_other_systems_beside_the_folder_are_ignored(tmp_path):
    archive = _zip(tmp_path / "m.zip", {"m/config.json": b"{}", "__MACOSX/m/._config.json": b"", ".DS_Store": b""})
    assert unpack(archive, tmp_path / "out", REFERENCE).name == "m"


@pytest.mark.parametrize("make", [_tar, _zip])
@pytest.mark.parametrize("name", ["../evil.json", "/evil.json", "a/../../evil.json", "..\\evil.json", "C:\\evil.json"])
def test_a_member_outside_the_folder_is_refused(tmp_path, make, name):
    archive = make(tmp_path / "model.archive", {"config.json": b"{}", name: b"evil"})
    with pytest.raises(SourceError, match=r"clearml:abc has the member .*evil") as caught:
        unpack(archive, tmp_path / "deep" / "out", REFERENCE)
    assert caught.value.exit_code == 3
    assert not list(tmp_path.rglob("*evil*"))
    assert not list((tmp_path / "deep").rglob("config.json")), "all or nothing"


@pytest.mark.parametrize(
    "member",
    [
        _link("config.json", "/etc/passwd"),
        _link("config.json", "../../secret"),
        _link("config.json", "../secret", tarfile.LNKTYPE),
        _link("config.json", "", tarfile.CHRTYPE),
        _link("config.json", "", tarfile.FIFOTYPE),
    ],
    ids=["absolute link", "link out", "hard link out", "device", "pipe"],
)
def test_links_out_and_devices_in_a_tar_are_refused(tmp_path, member):
    archive = _tar(tmp_path / "model.tar", {"config.json": member}, "w")
    with pytest.raises(SourceError, match="a link or a device"):
        unpack(archive, tmp_path / "out", REFERENCE)


def test_a_link_in_a_zip_is_refused(tmp_path):
    member = zipfile.ZipInfo("config.json")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(SourceError, match="a link or a device"):
        unpack(tmp_path / "m.zip", tmp_path / "out", REFERENCE)


def test_a_link_inside_a_tar_is_accepted(tmp_path):
    archive = _tar(tmp_path / "m.tar", {"a.json": b"{}", "b.json": _link("b.json", "a.json")}, "w")
    assert (unpack(archive, tmp_path / "out", REFERENCE) / "b.json").read_bytes() == b"{}"


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("mode", ["zip", "w:gz", "w:xz", "w:bz2", "w"])
def test_a_truncated_archive_is_damaged(tmp_path, model_folder, mode, kept):
    whole = {path.name: path.read_bytes() for path in model_folder.glob("*.*")}
    archive = tmp_path / ("model.zip" if mode == "zip" else "model.tar")
    _zip(archive, whole) if mode == "zip" else _tar(archive, whole, mode)
    content = archive.read_bytes()
    content = content.rstrip(b"\0")  # truncate the content, not the padding of a tar
    archive.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(SourceError, match="damaged or truncated"):
        unpack(archive, tmp_path / "out", REFERENCE)


def test_a_changed_byte_in_a_zip_is_detected(tmp_path, model_folder):
    content = bytearray(zipped(model_folder))
    at = content.index((model_folder / "model.safetensors").read_bytes()[:64]) + 100
    content[at] ^= 0xFF
    (tmp_path / "model.zip").write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        unpack(tmp_path / "model.zip", tmp_path / "out", REFERENCE)


def test_random_bytes_with_an_archive_suffix_are_damaged(tmp_path):
    (tmp_path / "model.zip").write_text("<html>please log in</html>")
    with pytest.raises(SourceError, match="damaged"):
        unpack(tmp_path / "model.zip", tmp_path / "out", REFERENCE)


@pytest.mark.parametrize("content", [b"pickled", b""])
def test_a_single_file_is_not_an_archive(tmp_path, content):
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(SourceError, match=r"single file \('pytorch_model\.bin'\), not an archive"):
        unpack(tmp_path / "pytorch_model.bin", tmp_path / "out", REFERENCE)


def test_a_password_is_reported(tmp_path):
    content = bytearray(_zip(tmp_path / "m.zip", {"config.json": b"{}"}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1  # the flag "encrypted"
    (tmp_path / "m.zip").write_bytes(content)
    with pytest.raises(SourceError, match="has a password"):
        unpack(tmp_path / "m.zip", tmp_path / "out", REFERENCE)
