"""How the lines of --eval-file are read for each kind of right answer, and what is said of a bad one."""

import json
import random

import pytest

from tests.unit.evaluation.reading import PAIR, QUESTION, TEXT, read
from utils.evaluation.eval_file import EvalFile
from utils.evaluation.kinds import KINDS
from utils.evaluation.records import digest_of
from utils.host.errors import SourceError

ENTITIES = ("O", "B-PER", "I-PER", "B-work-of-art", "MISC")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", 'A "goal\tsport\nمطر\t1\n'),
        ("b.tsv", 'label\ttext\nsport\tA "goal\nweather\tمطر\n'),
        ("c.csv", 'text_input,label\n"A ""goal",0\nمطر,weather\n'),
        ("d.csv", 'id,label,text_input,note\n1,0,"A ""goal",-\n2,weather,مطر,-\n'),
        ("e.jsonl", '{"text_input": "A \\"goal", "label": "sport", "id": 1}\n\n{"label": 1, "text_input": "مطر"}\n'),
        ("F.CSV", '\ufeff"A ""goal",sport\r\n\r\nمطر,weather\r\n'),
    ],
)
def test_forms(tmp_path, name, content):
    rows = read(tmp_path, name, content, "label")
    assert [(row.texts, row.right.texts) for row in rows] == [(('A "goal',), ("sport",)), (("مطر",), ("weather",))]


def test_a_line_knows_its_number(tmp_path):
    content = '"two\nlines",sport\n\nrain,weather\n'
    assert [row.line for row in read(tmp_path, "a.csv", content, "label")] == [2, 4]


@pytest.mark.parametrize(
    ("kind", "inputs", "name", "content", "examples", "right"),
    [
        ("label", PAIR, "a.tsv", "one\t\t1\n", [{"text_input": "one", "text_pair": ""}], (("weather",), (), ())),
        ("labels", TEXT, "a.tsv", 'x\t["sport", 1]\n', [{"text_input": "x"}], (("sport", "weather"), (), ())),
        ("labels", TEXT, "a.csv", "x,sport\n", [{"text_input": "x"}], (("sport",), (), ())),
        ("labels", TEXT, "a.csv", "x,\n", [{"text_input": "x"}], ((), (), ())),
        ("labels", TEXT, "a.jsonl", '{"text_input": "x", "labels": []}', [{"text_input": "x"}], ((), (), ())),
        ("score", PAIR, "a.tsv", "q\tt\t1e-1\n", [{"text_input": "q", "text_pair": "t"}], ((), (0.1,), ())),
        ("value", TEXT, "a.jsonl", '{"text_input": "x", "score": -3}', [{"text_input": "x"}], ((), (-3.0,), ())),
        ("similarity", TEXT, "a.csv", "a,b,4.5", [{"text_input": "a"}, {"text_input": "b"}], ((), (4.5,), ())),
        (
            "answers", QUESTION, "a.tsv", 'why\tso, or not\t["so", "or not", "so"]\n',
            [{"question": "why", "context": "so, or not"}], (("so", "or not"), (), ()),
        ),
        (
            "answers", QUESTION, "a.jsonl",
            '{"id": 7, "question": "why", "context": "c", "answers": {"text": ["c"], "answer_start": [0]}}',
            [{"question": "why", "context": "c"}], (("c",), (), ()),
        ),
        ("answers", QUESTION, "a.tsv", "why\tc\t\n", [{"question": "why", "context": "c"}], ((), (), ())),
        (
            "candidate", ("text_input", "candidate_labels"), "a.tsv", 'x\t["a, b", "c"]\ta, b\n',
            [{"text_input": "x", "candidate_labels": ["a, b", "c"]}], (("a, b",), (), ()),
        ),
        (
            "candidates", ("text_input", "candidate_labels"), "a.jsonl",
            '{"text_input": "x", "candidate_labels": ["a", "c"], "labels": ["c"]}',
            [{"text_input": "x", "candidate_labels": ["a", "c"]}], (("c",), (), ()),
        ),
        (
            "entities", TEXT, "a.jsonl",
            '{"text_input": "Anna in Rom", "entities": [{"start": 8, "end": 11, "label": "MISC"}, '
            '{"start": 0, "end": 4, "label": "PER"}]}',
            [{"text_input": "Anna in Rom"}], (("PER", "MISC"), (), ((0, 4), (8, 11))),
        ),
        (
            "entities", TEXT, "a.jsonl",
            '{"tokens": ["Anna", "M", ".", "sah", "Der", "Tod", "X", "Y"], '
            '"tags": ["B-PER", 2, "B-PER", "O", "B-work-of-art", "I-work-of-art", "MISC", "MISC"]}',
            [{"text_input": "Anna M . sah Der Tod X Y"}],
            (("PER", "PER", "work-of-art", "MISC"), (), ((0, 6), (7, 8), (13, 20), (21, 24))),
        ),
    ],
)  # fmt: skip
def test_a_line_of_each_kind(tmp_path, kind, inputs, name, content, examples, right):
    labels = ENTITIES if kind == "entities" else ("sport", "weather")
    (row,) = read(tmp_path, name, content, kind, inputs, labels)
    assert list(row.examples) == examples
    assert (row.right.texts, row.right.scores, row.right.spans) == right


CANDIDATES = ("text_input", "candidate_labels")


@pytest.mark.parametrize(
    ("kind", "inputs", "name", "content", "words"),
    [
        ("label", TEXT, "a.txt", "a\tsport", "its name ends in none of .tsv, .csv, .jsonl"),
        ("entities", TEXT, "a.tsv", "a\tsport", "its name ends in none of .jsonl"),
        ("label", TEXT, "a.tsv", "", "holds no texts"),
        ("label", TEXT, "a.tsv", "text\tlabel\n", "holds no texts"),
        ("label", TEXT, "a.tsv", "a\tsport\na\train\n", "line 2 has the label 'rain', which is not one of the model's"),
        ("label", TEXT, "a.tsv", "a\t2\n", "line 1 has the label '2', which is not one of the model's: sport, weather"),
        ("label", TEXT, "a.tsv", "a\tb\tsport\n", "line 1 has 3 columns; it must have 2: text_input, label"),
        ("label", TEXT, "a.tsv", "sport\n", "line 1 has 1 columns; it must have 2: text_input, label"),
        ("label", TEXT, "a.csv", "label,one,two\nsport,a,b\n", "line 2 has no text_input; it must be a text"),
        ("label", TEXT, "a.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("label", TEXT, "a.jsonl", "{\n", "line 1 is not JSON"),
        ("label", TEXT, "a.jsonl", "[" * 100_000, "line 1 is not JSON"),
        ("label", TEXT, "a.jsonl", '{"text_input": 5, "label": 1}', "line 1 has the text_input '5'; it must be a text"),
        ("label", TEXT, "a.jsonl", '{"text_input": "a", "label": true}', "line 1 has the label 'True'"),
        ("label", TEXT, "a.jsonl", '{"text_input": "a"}', "line 1 has no label; it must be a label of the model"),
        ("label", TEXT, "a.jsonl", '{"text_input": "\\ud800", "label": 1}', "a text without half a surrogate pair"),
        ("label", TEXT, "a.tsv", b"\xff\xfe\tsport\n", "save it as UTF-8"),
        ("labels", TEXT, "a.jsonl", '{"text_input": "a", "labels": 1.5}', "it must be a list of texts"),
        ("labels", TEXT, "a.jsonl", '{"text_input": "a", "labels": [["sport"]]}', "it must be a list of texts"),
        ("labels", TEXT, "a.tsv", 'a\t["sport", "rain"]\n', "line 1 has the label 'rain'"),
        ("score", PAIR, "a.tsv", "a\tb\tmuch\n", "line 1 has the score 'much'; it must be a number"),
        ("score", PAIR, "a.tsv", "a\tb\tnan\n", "line 1 has the score 'nan'; it must be a number"),
        ("value", TEXT, "a.jsonl", '{"text_input": "a", "score": true}', "line 1 has the score 'True'"),
        ("value", TEXT, "a.jsonl", '{"text_input": "a", "score": 1' + "0" * 400 + "}", "it must be a number"),
        ("similarity", TEXT, "a.tsv", "a\t1\n", "line 1 has 2 columns; it must have 3: text_input, text_pair, score"),
        ("answers", QUESTION, "a.tsv", "\tc\tx\n", "line 1 has the question ''; it must be a text that is not empty"),
        ("answers", QUESTION, "a.jsonl", '{"question": "q", "context": "c"}', "line 1 has no answers"),
        ("candidate", CANDIDATES, "a.tsv", 'x\t["a", "a"]\ta\n', "a list of different labels that are not empty"),
        ("candidate", CANDIDATES, "a.tsv", 'x\t["a", "b"]\tc\n', "has the label 'c', which is not one of its"),
        ("entities", TEXT, "a.jsonl", '{"text_input": "a"}', "neither text_input and entities nor tokens and tags"),
        ("entities", TEXT, "a.jsonl", '{"text_input": "a", "entities": [1]}', "it must be a list of objects"),
        (
            "entities", TEXT, "a.jsonl", '{"text_input": "ab", "entities": [{"start": 1, "end": 3, "label": "PER"}]}',
            "an entity from 1 to 3; it must be characters of the text, from 0 to 2",
        ),
        (
            "entities", TEXT, "a.jsonl", '{"text_input": "ab", "entities": [{"start": 0, "end": 1, "label": "LOC"}]}',
            "has the label 'LOC', which is not one of the model's: PER, work-of-art, MISC",
        ),
        (
            "entities", TEXT, "a.jsonl", '{"text_input": "abc", "entities": [{"start": 0, "end": 2, "label": "PER"}, '
            '{"start": 1, "end": 3, "label": "PER"}]}',
            "the entities (0, 2) and (1, 3), which overlap",
        ),
        ("entities", TEXT, "a.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}', "has 2 tokens and 1 tags"),
        ("entities", TEXT, "a.jsonl", '{"tokens": ["a", "b"], "tags": ["O", "I-PER"]}', "has the tag I-PER after O"),
        ("entities", TEXT, "a.jsonl", '{"tokens": ["a"], "tags": ["B-LOC"]}', "has the tag 'B-LOC'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported(tmp_path, kind, inputs, name, content, words):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, name, content, kind, inputs, ENTITIES if kind == "entities" else ("sport", "weather"))
    assert words in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_that_changes_or_goes_is_reported(tmp_path):
    file = tmp_path / "a.tsv"
    with pytest.raises(SourceError, match="cannot be read"):
        digest_of(file)
    read(tmp_path, "a.tsv", "a\tsport\n", "label")
    source = EvalFile(file=file, kind_name="label", inputs=TEXT, labels=("sport",), digest=digest_of(file))
    file.write_text("b\tsport\n", encoding="utf-8")
    with pytest.raises(SourceError, match="changed during the build"):
        source.rows()


JUNK = ["", "x", "0", "[", '["a"]', "{}", '"', "\t", ",", "\ud7ff", "null", "1e999", "\x00", "[[1]]", "label", "O"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_content_is_rows_or_one_sentence(tmp_path, kind):
    """200 random files of each kind: SourceError with one line, or rows; never another exception."""
    chance = random.Random(7)
    inputs = {"answers": QUESTION, "score": PAIR}.get(kind, CANDIDATES if kind.startswith("candidate") else TEXT)
    names = (*inputs, *KINDS[kind].further, KINDS[kind].right, "answers", "entities")
    values = [None, 1, -1.5, True, "sport", [], ["x"], [1, "sport"], {}, {"text": ["a"]}, [{"start": 0, "end": 1}], ""]
    refused = 0
    for number in range(200):
        suffix = chance.choice(KINDS[kind].suffixes)
        if suffix == ".jsonl" and number % 2:
            content = json.dumps({name: chance.choice(values) for name in names})
        else:
            content = chance.choice("\t,\n").join(chance.choices(JUNK, k=chance.randint(1, 6)))
        try:
            read(tmp_path, f"a{suffix}", content, kind, inputs)
        except SourceError as error:
            assert len(str(error).splitlines()) == 1, str(error)
            refused += 1
    assert refused > 100
