"""Label maps. The model's head has three outputs."""

import json
import os

import pytest

# content of the label file, words; ... stands for a folder
CASES = {
    "empty file": ("", ["is not JSON", "accepted are"]),
    "half a file": ('{"0": "a", "1"', ["is not JSON"]),
    "a table": ("0,a\n1,b\n2,c\n", ["is not JSON"]),
    "YAML": ("0: a\n1: b\n2: c\n", ["is not JSON"]),
    "Python": ("{0: 'a', 1: 'b', 2: 'c'}", ["is not JSON"]),
    "a trailing comma": ('["a", "b", "c",]', ["is not JSON"]),
    "a text": ('"a"', ["has no labels"]),
    "a number": ("3", ["has no labels"]),
    "null": ("null", ["has no labels"]),
    "no labels": ({}, ["has no labels"]),
    "an empty list": ([], ["0 labels", "3 outputs"]),
    "deeply nested": ("[" * 50_000, ["is not JSON"]),
    "a gap": ({"0": "a", "1": "b", "3": "c"}, ["none for output 2", "0 to 2"]),
    "counted from one": ({"1": "a", "2": "b", "3": "c"}, ["none for output 0"]),
    "negative key": ({"-1": "a", "0": "b", "1": "c"}, ["the key '-1'", "leading zeros"]),
    "padded keys": ({"00": "a", "01": "b", "02": "c"}, ["the key '00'", "leading zeros"]),
    "plus sign": ({"+0": "a", "1": "b", "2": "c"}, ["the key '+0'"]),
    "fractions": ({"0.0": "a", "1.0": "b", "2.0": "c"}, ["the key '0.0'"]),
    "a space in a key": ({" 0": "a", "1": "b", "2": "c"}, ["the key ' 0'"]),
    "other digits": ({"٠": "a", "١": "b", "٢": "c"}, ["the key '٠'"]),
    "words as keys": ({"LABEL_0": "a", "LABEL_1": "b", "LABEL_2": "c"}, ["the key 'LABEL_0'"]),
    "a key twice": ('{"0": "a", "1": "b", "1": "c"}', ["the key '1' twice", "keep one"]),
    "a label twice as key": ('{"a": 0, "b": 1, "a": 2}', ["the key 'a' twice"]),
    "an empty label": (["a", "", "c"], ["label 1 is ''", "not empty"]),
    "null as label": (["a", None, "c"], ["label 1 is None", "a text"]),
    "a number as label": (["a", "b", 3], ["label 2 is 3", "a text"]),
    "true as label": ({"0": "a", "1": True, "2": "c"}, ["label 1 is True"]),
    "a list as label": (["a", ["b"], "c"], ["label 1 is ['b']"]),
    "half a surrogate pair": ('["a", "\\ud83d", "c"]', ["label 1", "surrogate"]),
    "too few": (["a", "b"], ["2 labels", "3 outputs", "3 outputs"]),
    "too many": (["a", "b", "c", "d"], ["4 labels", "3 outputs"]),
    "two outputs for a label": ({"a": 0, "b": 1, "c": 1}, ["none for output 2"]),
    "numbers as keys and values": ({"0": 2, "1": 0, "2": 1}, ["numbers as keys and values", "ambiguous"]),
    "a label twice": (["a", "b", "a"], ["labels 0 and 2 are both 'a'", "--allow-duplicate-labels"]),
    "placeholders": (["LABEL_0", "LABEL_1", "LABEL_2"], ["placeholder 'LABEL_0'", "--allow-placeholder-labels"]),
    "one placeholder": (["a", "b", "LABEL_2"], ["label 2 is the placeholder"]),
    "Latin-1": ('["é", "b", "c"]'.encode("latin-1"), ["not UTF-8 (byte 2)", "save it as UTF-8"]),
    "UTF-16": ('["a", "b", "c"]'.encode("utf-16"), ["not UTF-8", "save it as UTF-8"]),
    "UTF-16 without a mark": ('["a", "b", "c"]'.encode("utf-16-le"), ["not UTF-8"]),
    "Windows-1251": ('["да", "нет", "c"]'.encode("cp1251"), ["not UTF-8"]),
    "a picture": (b"\x89PNG\r\n\x1a\n", ["not UTF-8 (byte 0)"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_label_file(case, damaged, refused):
    content, words = CASES[case]
    file = damaged.labels(content)
    message = refused(damaged.argv(labels=file), 3, words)
    assert str(file) in message


def test_a_folder_without_labels(damaged, refused):
    (damaged.folder / "empty").mkdir()
    refused(damaged.argv(labels=damaged.folder / "empty"), 3, ["is a folder without id2label.json", "pass the JSON"])


def test_a_device_as_label_file_is_refused(damaged, refused):
    refused(damaged.argv(labels="/dev/null"), 3, ["'/dev/null' is a device or a pipe", "device or a pipe"])


def test_a_pipe_as_label_file_is_refused(damaged, refused):
    os.mkfifo(damaged.folder / "pipe")
    refused(damaged.argv(labels=damaged.folder / "pipe"), 3, ["is a device or a pipe"])


# changes to config.json, words; the labels are those of the model
CONFIGS = {
    "no labels": ({"id2label": None, "num_labels": 3}, ["has no id2label", "--allow-placeholder-labels"]),
    "placeholders": ({"id2label": {str(i): f"LABEL_{i}" for i in range(3)}}, ["placeholder 'LABEL_0'"]),
    "a label twice": ({"id2label": {"0": "a", "1": "a", "2": "b"}}, ["labels 0 and 1 are both 'a'"]),
    "padded keys": ({"id2label": {"00": "a", "01": "b", "02": "c"}}, ["the key '00'"]),
    "a gap": ({"id2label": {"0": "a", "1": "b", "5": "c"}}, ["none for output 2"]),
    "words as keys": ({"id2label": {"a": "0", "b": "1", "c": "2"}}, ["the key 'a' in id2label"]),
    "an empty map": ({"id2label": {}}, ["an id2label without labels"]),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_bad_labels_in_the_config(case, damaged, refused):
    changes, words = CONFIGS[case]
    damaged.edit("config.json", **changes)
    message = refused(damaged.argv(), 3, words)
    assert "config.json" in message


def test_a_duplicate_key_in_the_config(damaged, refused):
    text = damaged.file("config.json").read_text(encoding="utf-8")
    damaged.write("config.json", text.replace('"2": ', '"1": '))
    refused(damaged.argv(), 3, ["the key '1' twice"])


def test_bad_labels_are_reported_before_any_request(damaged, refused, monkeypatch):
    monkeypatch.setattr("utils.sources.storage.bounded._call", lambda *_: pytest.fail("a request was sent"))
    file = damaged.labels({"00": "a"})
    refused(["hf:user/name", "clearml:0123456789abcdef", file], 3, ["the key '00'"])


AWKWARD = ["q\"'`", "{{ x }}{% raw %}", "$HOME ${x} \\n\n\t"]


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        (json.dumps(AWKWARD), [], AWKWARD),
        (json.dumps(dict(enumerate(AWKWARD)), ensure_ascii=False), [], AWKWARD),
        (json.dumps({label: index for index, label in enumerate(AWKWARD)}), [], AWKWARD),
        (b"\xef\xbb\xbf" + '["да", "無", "🦊"]'.encode(), [], ["да", "無", "🦊"]),
        (["a", "a", "b"], ["--allow-duplicate-labels"], ["a", "a", "b"]),
        (["LABEL_0", "LABEL_1", "LABEL_2"], ["--allow-placeholder-labels"], ["LABEL_0", "LABEL_1", "LABEL_2"]),
    ],
)
def test_valid_labels_are_accepted(content, options, expected, damaged, monkeypatch, tmp_path):
    """Runs a build up to the conversion."""
    from utils import make_triton_image as main
    from utils.convert.origins.transformers_folder import TransformersFolder
    from utils.host import build_tree

    class Reached(BaseException):  # which a stage lets pass
        pass

    def convert(origin, *_):
        raise Reached(list(origin.known.label_texts))

    monkeypatch.setattr(build_tree, "BUILD", tmp_path / "build")
    monkeypatch.setattr(TransformersFolder, "convert", convert)
    argv = damaged.argv("topics", "--no-image", *options, labels=damaged.labels(content))
    with pytest.raises(Reached) as reached:
        main.make_triton_image([*map(str, argv)])
    assert reached.value.args == (expected,)
