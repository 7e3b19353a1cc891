import errno
import os

import pytest

from utils.host import link_or_copy
from utils.repository.version_files import place, place_again


@pytest.fixture(params=["hard links", "no hard links"])
def has_links(request, monkeypatch):
    """The file system of the tests, and one that refuses hard links."""
    if request.param == "no hard links":

        def no_links(*_):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(link_or_copy.os, "link", no_links)
    return request.param == "hard links"


@pytest.fixture
def original(tmp_path):
    (tmp_path / "artifacts/a").mkdir(parents=True)
    (tmp_path / "repository").mkdir()
    file = tmp_path / "artifacts/a/model.onnx_data"
    file.write_bytes(b"weights")
    os.utime(file, ns=(1, 1_234_567_890))
    return file


@pytest.mark.parametrize(("name", "linkable"), [("model.onnx", True), ("model.pt", True), ("model.onnx_data", False)])
def test_only_a_graph_is_a_hard_link(has_links, original, tmp_path, name, linkable):
    placed = tmp_path / "repository" / name
    place(original, placed)
    assert placed.read_bytes() == b"weights"
    assert placed.samefile(original) == (linkable and has_links)


def test_a_placed_file_is_placed_again_as_a_link_to_its_original(has_links, original, tmp_path):
    placed = tmp_path / "repository/model.onnx_data"
    place(original, placed)
    place_again(placed, tmp_path / "again", tmp_path / "artifacts")
    assert (tmp_path / "again").read_bytes() == b"weights"
    assert placed.stat().st_nlink == 1
    assert (tmp_path / "again").samefile(original) == has_links


def test_an_edited_file_is_placed_again_with_its_edits(original, tmp_path):
    placed = tmp_path / "repository/model.onnx_data"
    place(original, placed)
    placed.write_bytes(b"changed")
    place_again(placed, tmp_path / "again", tmp_path / "artifacts")
    assert (tmp_path / "again").read_bytes() == b"changed"
    assert (placed.stat().st_nlink, original.stat().st_nlink) == (1, 1)
