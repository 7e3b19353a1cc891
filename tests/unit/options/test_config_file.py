"""What is refused is in tests/unit/options/test_build_spec.py and tests/bad_input; here is how values are read."""

import sys

import pytest

from utils.host.errors import UsageError
from utils.options.config_file import read_config

KNOWN = {"model", "tokenizer", "id2label", "model_name", "tag", "top_k", "no_image", "json"}


def read(tmp_path, text):
    file = tmp_path / "build.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_config(file, known=KNOWN, flags={"no_image", "json"})


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("1.10", "1.10"), ("2026_11", "2026_11"), ("010", "010"), ("0x10", "0x10"), ("12:30", "12:30"),
        ("no", "no"), ("on", "on"), ("1e3", "1e3"), ("2026-11-21", "2026-11-21"), ('"v 1"', "v 1"), ("'null'", "null"),
        ("v1  # a comment", "v1"), ("hf:user/name@v1", "hf:user/name@v1"), ("./a b/c", "./a b/c"),
    ],
)  # fmt: skip
def test_values_are_the_texts_that_stand_there(tmp_path, line, value):
    assert read(tmp_path, f"# a comment\nmodel-name: topics\n\ntag: {line}\n") == {"model_name": "topics", "tag": value}


@pytest.mark.parametrize("line", ["", "~", "null", "NULL"])
def test_nothing_is_nothing(tmp_path, line):
    assert read(tmp_path, f"tag: {line}\nmodel: m\n") == {"model": "m"}


@pytest.mark.parametrize(("line", "value"), [("true", {"no_image": True}), ("False", {}), ("", {})])
def test_flags(tmp_path, line, value):
    assert read(tmp_path, f"no-image: {line}\n") == value


@pytest.mark.parametrize("line", ["yes", "1", '"true"', "sure"])
def test_flags_that_are_none(tmp_path, line):
    with pytest.raises(UsageError, match=r"no_image is .*; it is true or false"):
        read(tmp_path, f"no_image: {line}\n")


def test_a_byte_order_mark_is_accepted(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfmodel: m\n") == {"model": "m"}


def test_before_the_first_set_up_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert set(read(tmp_path, "unknown: value\n")) == {"model", "tokenizer", "id2label"}


def test_a_name_with_a_dash_and_with_an_underscore_is_one_name(tmp_path):
    with pytest.raises(UsageError, match="'model_name' twice"):
        read(tmp_path, "model-name: a\nmodel_name: b\n")


@pytest.mark.parametrize("value", ["&a [*a]", "[[a]]", "[a, [b, c]]"])
def test_a_list_in_a_list_is_no_value_and_may_even_hold_itself(tmp_path, value):
    file = tmp_path / "build.yaml"
    file.write_text(f"add_model: {value}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="add_model"):
        read_config(file, known={"add_model"}, flags=set(), lists={"add_model"})
