import json

import pytest

from tests.small_files import write_safetensors
from utils.host.errors import SourceError
from utils.sources.safetensors_header import LONGEST_HEADER, read_header


def test_names_and_shapes_as_the_library_tells_them(tiny_bert):
    from safetensors import safe_open

    shapes = read_header(tiny_bert / "model.safetensors")
    with safe_open(tiny_bert / "model.safetensors", framework="np") as opened:
        assert shapes == {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118


def test_what_the_tests_write_is_read_by_the_library(tmp_path):
    from safetensors.numpy import load_file

    file = write_safetensors(tmp_path / "a.safetensors", {"a.weight": (2, 3), "scalar": ()})
    assert {name: each.shape for name, each in load_file(file).items()} == {"a.weight": (2, 3), "scalar": ()}
    assert read_header(file) == {"a.weight": (2, 3), "scalar": ()}


def with_header(header, content=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is cut short (it has 0 bytes)"),
        (b"12345678", "is cut short (it has 8 bytes)"),
        (with_header({"a": TENSOR})[:30], "is cut short (30 of"),
        (with_header({"a": TENSOR}, bytes(7)), "is cut short"),
        (with_header({"a": TENSOR}, bytes(9)), "its header tells of"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (bytes(100), "is not a safetensors file"),
        (b"<!doctype html><html></html>", "is not a safetensors file"),
        ((LONGEST_HEADER + 1).to_bytes(8, "little") + b"{", "is not a safetensors file"),
        (with_header(b"{nonsense}"), "is not a safetensors file"),
        (with_header({}), "is not a safetensors file"),
        (with_header({"__metadata__": {"format": "pt"}}), "is not a safetensors file"),
        (with_header({"a": {**TENSOR, "shape": [-2]}}, bytes(8)), "is not a safetensors file"),
        (with_header({"a": {**TENSOR, "data_offsets": [8]}}, bytes(8)), "is not a safetensors file"),
        (with_header({"a": {**TENSOR, "dtype": 3}}, bytes(8)), "is not a safetensors file"),
    ],
)
def test_refusals_name_the_file(tmp_path, content, said):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(SourceError) as refusal:
        read_header(file)
    assert str(file) in str(refusal.value)
    assert said in str(refusal.value)
