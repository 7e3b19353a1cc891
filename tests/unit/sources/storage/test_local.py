import os
import re

import pytest

from utils.host.errors import SourceError
from utils.sources.storage import METADATA, local


def test_the_revision_is_a_digest_of_names_and_contents(model_folder):
    revision = local.resolve(str(model_folder))
    assert re.fullmatch(r"sha256:[0-9a-f]{16}", revision)
    assert local.resolve(str(model_folder)) == revision

    (model_folder / "README.md").write_text("another text")
    (model_folder / "onnx" / "config.json").write_text('{"a": 1}')
    assert local.resolve(str(model_folder)) == revision, "files that no build takes do not count"

    (model_folder / "vocab.txt").rename(model_folder / "words.txt")
    renamed = local.resolve(str(model_folder))
    assert renamed != revision
    (model_folder / "config.json").write_text("{}")
    assert local.resolve(str(model_folder)) != renamed


def test_a_copy_elsewhere_has_the_same_revision(model_folder, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in model_folder.glob("*.*"):
        (copy / file.name).write_bytes(file.read_bytes())
    assert local.resolve(str(copy)) == local.resolve(str(model_folder))


def test_the_path_itself_is_the_artifact(model_folder, tmp_path):
    destination = tmp_path / "unused"
    assert local.fetch(str(model_folder), "sha256:0", METADATA, destination) == model_folder
    assert not destination.exists()


def test_a_single_file_is_allowed(model_folder):
    file = model_folder / "config.json"
    assert local.resolve(str(file)).startswith("sha256:")
    assert local.fetch(str(file), "sha256:0", METADATA, model_folder) == file


def test_tilde_is_the_home_folder(model_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(model_folder.parent))
    assert local.fetch("~/model", "", METADATA, model_folder) == model_folder


@pytest.mark.parametrize(
    ("locator", "expected"),
    [
        ("", "the reference is empty"),
        ("  ", "the reference is empty"),
        ("./nowhere", "does not exist"),
        ("/no/where/at/all", "check the path"),
        ("x" * 300, "File name too long"),
        ("~no-such-user/model", "cannot be accessed"),
        ("a\0b", "does not exist"),
        ("user/name", "or write hf:user/name"),
        ("user/name@v1", "or write hf:user/name@v1"),
    ],
)
def test_a_missing_path_is_reported(locator, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (local.resolve, lambda locator: local.fetch(locator, "", METADATA, tmp_path)):
        with pytest.raises(SourceError) as caught:
            call(locator)
        assert expected in str(caught.value)
        assert caught.value.exit_code == 3
        assert "\n" not in str(caught.value)


def test_a_broken_link_is_named(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(SourceError, match=r"is a link to .*gone"):
        local.resolve(str(link))


def test_an_unreadable_file_is_named(model_folder, monkeypatch):
    # Tests may run as root, who can read every file: the kernel's error is raised by the test.
    def refuse(self, *_arguments):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(SourceError, match=r"config\.json.*Permission denied"):
        local.resolve(str(model_folder))


def test_names_that_are_not_utf_8_are_ignored(model_folder):
    (model_folder / os.fsdecode(b"caf\xe9.json")).write_text("{}")
    assert local.resolve(str(model_folder)).startswith("sha256:")
