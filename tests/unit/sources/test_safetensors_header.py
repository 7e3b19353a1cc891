import json

import pytest

from tests.small_files import write_safetensors
from utils.host.errors import SourceError
from utils.sources.safetensors_header import read_header


def test_names_and_shapes_of_a_saved_model(tiny_bert):
    from safetensors import safe_open

    shapes = read_header(tiny_bert / "model.safetensors")
    with safe_open(tiny_bert / "model.safetensors", framework="np") as opened:
        assert shapes == {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118


def test_files_of_the_tests_are_readable(tmp_path):
    from safetensors.numpy import load_file

    file = write_safetensors(tmp_path / "a.safetensors", {"a.weight": (2, 3), "scalar": ()})
    assert {name: each.shape for name, each in load_file(file).items()} == {"a.weight": (2, 3), "scalar": ()}
    assert read_header(file) == {"a.weight": (2, 3), "scalar": ()}


def with_header(header, content=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


DAMAGED = {
    "empty": b"",
    "8 bytes": b"12345678",
    "half a header": with_header({"a": TENSOR})[:30],
    "a byte less": with_header({"a": TENSOR}, bytes(7)),
    "a byte more": with_header({"a": TENSOR}, bytes(9)),
    "zeros": bytes(100),
    "a web page": b"<!doctype html><html></html>",
    "a header above the format's limit": (100_000_001).to_bytes(8, "little") + b"{",
    "no JSON": with_header(b"{nonsense}"),
    "a negative shape": with_header({"a": {**TENSOR, "shape": [-2]}}, bytes(8)),
    "one offset": with_header({"a": {**TENSOR, "data_offsets": [8]}}, bytes(8)),
    "a number as dtype": with_header({"a": {**TENSOR, "dtype": 3}}, bytes(8)),
}
OTHERS = {
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    "no tensor": (with_header({}), "no tensor"),
    "only metadata": (with_header({"__metadata__": {"format": "pt"}}), "no tensor"),
    **{name: (content, f"{len(content)} bytes") for name, content in DAMAGED.items()},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_refusal_names_the_file(tmp_path, name):
    content, reason = OTHERS[name]
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(SourceError) as refusal:
        read_header(file)
    assert str(file) in str(refusal.value)
    assert reason in str(refusal.value)
