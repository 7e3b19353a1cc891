"""What is refused is in tests/unit/options/test_build_spec.py and tests/bad_input; here is how values are read."""

import sys
import textwrap

import pytest

from utils.host.errors import UsageError
from utils.options.config_file import Names, read_config

NAMES = Names(
    known=frozenset({"model", "tokenizer", "id2label", "model_name", "tag", "top_k", "no_image", "json", "add_model"}),
    flags=frozenset({"no_image", "json"}),
    lists=frozenset({"add_model"}),
)


def read(tmp_path, text):
    file = tmp_path / "build.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_config(file, NAMES)


def values_of(tmp_path, text):
    return read(tmp_path, text).values


def refusal(tmp_path, text):
    """The message, without the file."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    before, file, message = str(caught.value).partition(f"--config {str(tmp_path / 'build.yaml')!r}")
    assert file and not before
    return message


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("1.10", "1.10"), ("2026_11", "2026_11"), ("010", "010"), ("0x10", "0x10"), ("12:30", "12:30"),
        ("no", "no"), ("on", "on"), ("1e3", "1e3"), ("2026-11-21", "2026-11-21"), ('"v 1"', "v 1"), ("'null'", "null"),
        ("v1  # a comment", "v1"), ("hf:user/name@v1", "hf:user/name@v1"), ("./a b/c", "./a b/c"),
    ],
)  # fmt: skip
def test_values_are_the_texts_that_stand_there(tmp_path, line, value):
    assert values_of(tmp_path, f"# a comment\nmodel-name: topics\n\ntag: {line}\n") == {
        "model_name": "topics",
        "tag": value,
    }


@pytest.mark.parametrize("line", ["", "~", "null", "NULL"])
def test_nothing_is_nothing(tmp_path, line):
    assert values_of(tmp_path, f"tag: {line}\nmodel: m\n") == {"model": "m"}


@pytest.mark.parametrize(("line", "value"), [("true", {"no_image": True}), ("False", {}), ("", {})])
def test_flags(tmp_path, line, value):
    assert values_of(tmp_path, f"no-image: {line}\n") == value


@pytest.mark.parametrize("line", ["yes", "1", '"true"', "sure"])
def test_flags_that_are_none(tmp_path, line):
    assert refusal(tmp_path, f"tag: v1\nno_image: {line}\n").startswith(", line 2, no_image: it is ")


def test_a_byte_order_mark_is_accepted(tmp_path):
    assert values_of(tmp_path, b"\xef\xbb\xbfmodel: m\n") == {"model": "m"}


def test_before_the_first_set_up_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    config = read(tmp_path, "unknown: value\n")
    assert config.unread
    assert set(config.values) == {"model", "tokenizer", "id2label"}


def test_a_name_with_a_dash_and_with_an_underscore_is_one_name(tmp_path):
    message = refusal(tmp_path, "model-name: a\nmodel_name: b\n")
    assert message == ", line 2, model_name: 'model_name' twice (line 1); keep one of them"


@pytest.mark.parametrize("value", ["&a [*a]", "[[a]]", "[a, [b, c]]"])
def test_a_list_in_a_list_is_no_value_and_may_even_hold_itself(tmp_path, value):
    assert refusal(tmp_path, f"add_model: {value}\n") == (
        ", line 1, add_model: it is a list or a map; it must be one value"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tag: v1\nbatch: 3\nmodle: x\n", " has unknown names batch (line 2), modle (line 3); known: add_model, "),
        ("tag: [a, b]\n", ", line 1, tag: it is a list or a map"),
        ("model: m\ntag:\n  a: b\n", ", line 3, tag: it is a list or a map"),
        ("model: !!python/name:os.x y\n", ", line 1, model: it cannot be read as YAML of plain values"),
        ("[a]: b\n", ", line 1: a name is a list or a map"),
        ("builds: []\n", ", line 1, builds: it must be a list with at least one build"),
        ("builds:\n", ", line 1, builds: it must be a list"),
        ("builds: {model: m}\n", ", line 1, builds: it must be a list"),
        ("builds:\n- model: m\n- m\n", ", line 3, builds[1]: it must hold names and values"),
        ("builds: [{model: m}]\ntag: v1\n", " has unknown names tag (line 2); known: builds, defaults; write"),
        ("defaults: {tag: v1}\n", " has unknown names defaults (line 1); known: add_model, "),
        ("defaults: v1\nbuilds: [{model: m}]\n", ", line 1, defaults: it must hold names and values"),
        ("builds:\n- model: m\n  modle: x\n", " has unknown names builds[0].modle (line 3); known: "),
        ("defaults:\n  no_image: sure\nbuilds: [{model: m}]\n", ", line 2, defaults.no_image: it is 'sure'; it must"),
        ("builds:\n- tag: v1\n  tag: v2\n", ", line 3, builds[0].tag: 'tag' twice (line 2)"),
        ("builds:\n- builds: [{model: m}]\n", " has unknown names builds[0].builds (line 2)"),
    ],
)
def test_a_refusal_names_file_line_and_key(tmp_path, text, message):
    assert refusal(tmp_path, text).startswith(message)


def test_a_list_of_builds_shares_the_defaults(tmp_path):
    text = """\
    defaults:
      tokenizer: t
      tag: v1
      top-k: 2
      no_image: true
    builds:
      - model: a
      - model: b
        tag: 1.10
        top_k:
        no_image: false
        add_model: [x=1, y=2]
    """
    config = read(tmp_path, textwrap.dedent(text))
    assert [each.values for each in config.builds] == [
        {"tokenizer": "t", "tag": "v1", "top_k": "2", "no_image": True, "model": "a"},
        {"tokenizer": "t", "tag": "1.10", "model": "b", "add_model": ["x=1", "y=2"]},
    ]
    assert [each.place.rpartition(", line ")[2] for each in config.builds] == ["7, builds[0]", "8, builds[1]"]
    assert config.values == {}


def test_anchors_work(tmp_path):
    config = read(tmp_path, "builds:\n- &one {model: a, tag: &t v1}\n- {model: b, tag: *t}\n")
    assert [each.values["tag"] for each in config.builds] == ["v1", "v1"]
