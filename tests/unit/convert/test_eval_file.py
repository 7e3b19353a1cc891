import pytest

from utils.convert.eval_file import LabelledText, read_labelled_texts
from utils.host.errors import SourceError

LABELS = ("sport", "weather")


def read(folder, name, content, inputs=("text_input",), labels=LABELS):
    (folder / name).write_text(content, encoding="utf-8")
    return [(row.text, row.label) for row in read_labelled_texts(folder / name, inputs, labels)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", 'A "goal\tsport\nمطر\t1\n'),
        ("b.tsv", 'label\ttext\nsport\tA "goal\nweather\tمطر\n'),
        ("c.csv", 'text_input,label\n"A ""goal",0\nمطر,weather\n'),
        ("d.jsonl", '{"text_input": "A \\"goal", "label": "sport"}\n\n{"label": 1, "text_input": "مطر"}\n'),
        ("E.CSV", '\ufeff"A ""goal",sport\r\n\r\nمطر,weather\r\n'),
    ],
)
def test_forms(tmp_path, name, content):
    assert read(tmp_path, name, content) == [('A "goal', 0), ("مطر", 1)]


def test_pairs(tmp_path):
    found = read(tmp_path, "a.tsv", "one\ttwo\tsport\none\t\t1\n", inputs=("text_input", "text_pair"))
    assert found == [(("one", "two"), 0), ("one", 1)]
    assert LabelledText(text="a", label=1).label == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "a\tsport", "its name ends in none of .tsv, .csv, .jsonl"),
        ("a.tsv", "", "holds no texts"),
        ("a.tsv", "text\tlabel\n", "holds no texts"),
        ("a.tsv", "a\tsport\na\train\n", "line 2 has the label 'rain'"),
        ("a.tsv", "a\tb\tsport\n", "line 1 must hold text_input and label"),
        ("a.tsv", "sport\n", "line 1 must hold text_input and label"),
        ("a.jsonl", "[1]\n", "line 1 must hold text_input and label"),
        ("a.jsonl", '{"text_input": 5, "label": 1}\n', "line 1 must hold text_input and label"),
        ("a.jsonl", "{\n", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, name, content, words):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, name, content)
    assert words in str(caught.value)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"\xff\xfe\tsport\n")
    with pytest.raises(SourceError, match="save it as UTF-8"):
        read_labelled_texts(tmp_path / "a.tsv", ("text_input",), LABELS)
