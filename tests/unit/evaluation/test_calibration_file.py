"""How the lines of --calibration-file are read."""

import pytest

from utils.evaluation.calibration_file import OPTION, CalibrationFile
from utils.evaluation.records import digest_of
from utils.host.errors import SourceError


def calibration(folder, name, content, inputs=("text_input",)):
    file = folder / name
    file.write_text(content, encoding="utf-8")
    return CalibrationFile(file=file, inputs=inputs, digest=digest_of(file, OPTION))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "rain today\n\nمطر\n"),
        ("b.csv", "label,text_input\nweather,rain today\n\nweather,مطر\n"),
        ("c.jsonl", '{"text_input": "rain today"}\n\n{"text_input": "مطر", "id": 7}\n'),
    ],
)
def test_forms(tmp_path, name, content):
    texts = [example["text_input"] for _, example in calibration(tmp_path, name, content).examples()]
    assert texts == ["rain today", "مطر"]


def test_pairs(tmp_path):
    found = calibration(tmp_path, "a.tsv", "one\ttwo\n", ("text_input", "text_pair")).examples()
    assert found == ((1, {"text_input": "one", "text_pair": "two"}),)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.tsv", "rain\nrain\tweather\n", "line 2 has 2 columns; it must have 1: text_input"),
        ("a.jsonl", '{"text": "rain"}\n', "line 1 has no text_input"),
        ("a.tsv", "\n", "holds no texts"),
        ("a.txt", "rain\n", "its name ends in none of .tsv, .csv, .jsonl"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, content, words):
    with pytest.raises(SourceError) as caught:
        calibration(tmp_path, name, content).examples()
    assert str(caught.value).startswith(f"{OPTION} ")
    assert words in str(caught.value)


def test_a_file_that_changes_during_the_build_ends_it(tmp_path):
    file = calibration(tmp_path, "a.tsv", "rain\n")
    file.file.write_text("snow\n", encoding="utf-8")
    with pytest.raises(SourceError, match="changed during the build"):
        file.examples()
    file.file.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        file.examples()
