"""More refusals are in tests/bad_input/test_labels.py."""

import json

import pytest

from utils.host.errors import SourceError
from utils.sources.labels import LABEL_FILES, check_texts, labels_of_config, read_labels, require_count
from utils.sources.requirements import SourceRequirements

STRICT = SourceRequirements()

AWKWARD = (
    'say "hi"',
    "it's",
    "{{ jinja }} {% raw %} {# note #}",
    "${HOME} $(id) `id`",
    "back\\slash \\n",
    "two\nlines\r\n\tand a tab",
    "помощь",
    "고객 지원",
    "مساعدة",
    "👍🏽 👨‍👩‍👧",
    " ",
    "a, b; c: d",
    "<b>&amp;</b>",
    "\u0000",
)


def save(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "content",
    [
        {"0": "x", "1": "y", "2": "z"},
        {"2": "z", "0": "x", "1": "y"},
        ["x", "y", "z"],
        {"x": 0, "y": 1, "z": 2},
        {"z": 2, "x": 0, "y": 1},
        {"id2label": {"0": "x", "1": "y", "2": "z"}},
        {"id2label": ["x", "y", "z"]},
        {"label2id": {"x": 0, "y": 1, "z": 2}},
        {"id2label": {"0": "x", "1": "y", "2": "z"}, "label2id": {"x": 0, "y": 1, "z": 2}},
    ],
)
def test_every_accepted_form_gives_the_head_order(tmp_path, content):
    file = save(tmp_path / "labels.json", content)
    labels = read_labels(file)
    assert labels.texts == ("x", "y", "z")
    assert labels.source == str(file)


def test_ten_and_more_labels_are_ordered_as_numbers(tmp_path):
    file = save(tmp_path / "id2label.json", {str(index): f"label {index}" for index in reversed(range(12))})
    assert read_labels(file).texts == tuple(f"label {index}" for index in range(12))


@pytest.mark.parametrize("escaped", [True, False])
def test_labels_are_kept_unchanged(tmp_path, escaped):
    file = tmp_path / "id2label.json"
    content = {str(index): label for index, label in enumerate(AWKWARD)}
    file.write_text(json.dumps(content, ensure_ascii=escaped), encoding="utf-8")
    assert read_labels(file).texts == AWKWARD


def test_duplicate_labels_can_be_allowed(tmp_path):
    file = save(tmp_path / "l.json", ["x", "same", "y", "same"])
    with pytest.raises(SourceError, match=r"labels 1 and 3 are both 'same', .*; rename one.*--allow-duplicate-labels"):
        read_labels(file)
    assert read_labels(file, requirements=SourceRequirements(allow_duplicate_labels=True)).texts[1::2] == (
        "same",
        "same",
    )


def test_placeholder_labels_can_be_allowed(tmp_path):
    file = save(tmp_path / "l.json", {"0": "LABEL_0", "1": "LABEL_1"})
    with pytest.raises(SourceError, match=r"label 0 is the placeholder 'LABEL_0', .*--allow-placeholder-labels"):
        read_labels(file)
    allowed = SourceRequirements(allow_placeholder_labels=True)
    assert read_labels(file, requirements=allowed).texts == ("LABEL_0", "LABEL_1")
    config = save(tmp_path / "config.json", {"model_type": "bert"})
    assert labels_of_config(config, head_size=2, requirements=allowed).texts == ("LABEL_0", "LABEL_1")


def test_label2id_is_noted(tmp_path, capsys):
    file = save(tmp_path / "l.json", {"x": 0, "y": 1})
    read_labels(file)
    assert capsys.readouterr().err == f'  labels: {file} is read as label2id ("x": 0, "y": 1)\n'
    read_labels(save(tmp_path / "l.json", {"0": "x", "1": "y"}))
    assert capsys.readouterr().err == ""


def test_labels_are_read_before_the_head_is_known(tmp_path):
    labels = read_labels(save(tmp_path / "l.json", ["a", "b"]))
    require_count(labels, 2)
    with pytest.raises(SourceError, match=r"2 labels but the model's head has 3 outputs"):
        require_count(labels, 3)


def test_a_byte_order_mark_is_ignored(tmp_path):
    file = tmp_path / "id2label.json"
    file.write_bytes(b"\xef\xbb\xbf" + b'{"0": "x"}')
    assert read_labels(file).texts == ("x",)


@pytest.mark.parametrize("name", LABEL_FILES)
def test_a_folder_is_searched_for_its_label_file(tmp_path, name):
    content = {"id2label": {"0": "x"}} if name == "config.json" else ["x"]
    save(tmp_path / name, content)
    assert read_labels(tmp_path).source == str(tmp_path / name)


def test_a_label_file_has_priority_over_the_config(tmp_path):
    save(tmp_path / "config.json", {"id2label": {"0": "LABEL_0"}})
    save(tmp_path / "id2label.json", {"0": "mine"})
    assert read_labels(tmp_path).texts == ("mine",)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", ["is not JSON", "accepted are"]),
        ("", ["is not JSON"]),
        ("[" * 100_000, ["is not JSON"]),
        ('{"a": ' + "1" * 5000 + "}", ["is not JSON"]),
        ("null", ["has no labels", "accepted are"]),
        ('"x"', ["has no labels"]),
        ("3", ["has no labels"]),
        ("{}", ["has no labels"]),
        ('{"0": "a", "0": "b"}', ["'0' twice", "keep one"]),
        ('{"a": 0, "a": 1}', ["'a' twice"]),
        ('{"0": "a", "2": "b"}', ["2 labels", "none for output 1", "0 to 1"]),
        ('{"1": "a", "2": "b"}', ["none for output 0"]),
        ('{"a": 0, "b": 0}', ["2 labels", "none for output 1"]),
        ('{"a": 1, "b": 2}', ["none for output 0"]),
        ('{"00": "a", "01": "b"}', ["'00'", "leading zeros"]),
        ('{"LABEL_0": "a", "LABEL_1": "b"}', ["'LABEL_0'", "0, 1, 2"]),
        ('{"-1": "a", "0": "b"}', ["'-1'"]),
        ('{"0": "a", "1": ""}', ["label 1", "not empty"]),
        ('{"0": "a", "1": null}', ["label 1 is None"]),
        ('["a", 1]', ["label 1 is 1", "a text"]),
        ('["a", ["b"]]', ["label 1"]),
        ('{"a": true, "b": false}', ["'a'"]),
        ('{"0": 1, "1": 0}', ["numbers as keys and values", "ambiguous", "in quotes"]),
        ('["a", "\\ud800"]', ["label 1", "surrogate"]),
        ("[]", ["0 labels", "2 outputs"]),
        ('["a"]', ["1 labels", "2 outputs"]),
        ('["a", "b", "c"]', ["3 labels", "2 outputs"]),
    ],
)
def test_refusals_name_the_file_and_the_fault(tmp_path, content, expected):
    file = tmp_path / "labels.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError) as refusal:
        require_count(read_labels(file), 2)
    assert refusal.value.exit_code == 3
    for words in [str(file), *expected]:
        assert words in str(refusal.value)


def test_a_file_that_is_not_utf_8_names_the_byte(tmp_path):
    file = tmp_path / "labels.json"
    file.write_bytes('["caf\u00e9"]'.encode("latin-1"))
    with pytest.raises(SourceError, match=r"not UTF-8 \(byte 5\); save it as UTF-8"):
        read_labels(file)


def test_utf_16_without_a_mark_is_recognised(tmp_path):
    file = tmp_path / "labels.json"
    file.write_bytes('["a"]'.encode("utf-16-le"))
    with pytest.raises(SourceError, match=r"not UTF-8 .*UTF-16"):
        read_labels(file)


def test_a_missing_file_suggests_the_dash(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.json' does not exist.* - for"):
        read_labels(tmp_path / "nowhere.json")


def test_a_folder_without_any_label_file_lists_their_names(tmp_path):
    with pytest.raises(SourceError) as refusal:
        read_labels(tmp_path)
    assert all(name in str(refusal.value) for name in LABEL_FILES)


def test_the_labels_of_a_config(tmp_path):
    file = save(tmp_path / "config.json", {"model_type": "bert", "id2label": {"1": "no", "0": "yes"}})
    assert labels_of_config(file, head_size=2).texts == ("yes", "no")


@pytest.mark.parametrize("content", [{"model_type": "bert"}, {"id2label": {}}, {"id2label": None}, []])
def test_a_config_without_labels_is_refused(tmp_path, content):
    with pytest.raises(SourceError, match=r"config\.json' has no id2label"):
        labels_of_config(save(tmp_path / "config.json", content), head_size=2)


@pytest.mark.parametrize(
    "label", [" ", "\n", "LABEL", "LABEL_", "LABEL_x", "label_0", "xLABEL_0", "0", "{{ x }}", "🦊"]
)
def test_unusual_texts_are_kept(label):
    assert check_texts([label, "other"], "l.json", STRICT) == (label, "other")


@pytest.mark.parametrize("label", ["", None, 0, True, [], {}, 1.5, "\ud800", "LABEL_0", "LABEL_10"])
def test_an_invalid_label_is_refused(label):
    with pytest.raises(SourceError, match=r"'l\.json': label 1 "):
        check_texts(["other", label], "l.json", STRICT)


def test_ten_thousand_labels():
    labels = [f"label {index}" for index in range(10_000)]
    assert check_texts(labels, "l.json", STRICT) == tuple(labels)
    with pytest.raises(SourceError, match="labels 9 and 10000 are both 'label 9'"):
        check_texts([*labels, "label 9"], "l.json", STRICT)
