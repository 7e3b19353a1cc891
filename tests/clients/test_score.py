"""`score` on every format, against a loopback server that labels a text with its length (faulty.py)."""

import csv
import datetime
import gzip
import io
import json
import os
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.clients.faulty import faulty
from tests.clients.scoring import COMMAND, environment, score, score_here

TEXTS = ["plain", 'with "quotes", a comma', "two\nlines", "tab\there", "Ünïcödé 今日は", "", " spaces "] * 20


@pytest.fixture(scope="module")
def server():
    with faulty() as running:
        running.limit = 16
        yield running


@pytest.fixture(autouse=True)
def clean(server):
    server.faults.clear()
    server.refuses = None


@pytest.fixture
def ask(server):
    """ask(*arguments): (exit code, stderr) of `score` on the loopback server."""
    return lambda *arguments, **more: score_here("--server", server.url, "--model", "lengths", *arguments, **more)


def write(path, texts=TEXTS):
    """A file with the columns `number` and `text`, in the format that its name tells."""
    rows = [{"number": place, "text": text} for place, text in enumerate(texts)]
    kind = path.name.split(".")[1]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=50)
        return path
    text = io.StringIO()
    if kind == "jsonl":
        text.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        table = csv.DictWriter(text, ["number", "text"], delimiter={"csv": ",", "tsv": "\t"}[kind])
        table.writeheader()
        table.writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read(path):
    """Rows of any format, all values as str."""
    kind = path.name.split(".")[1]
    if kind == "parquet":
        rows = pq.read_table(path).to_pylist()
    else:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        if kind == "jsonl":
            rows = [json.loads(line) for line in text.splitlines()]
        else:
            rows = csv.DictReader(io.StringIO(text, newline=""), delimiter={"csv": ",", "tsv": "\t"}[kind])
    return [{name: str(value) for name, value in row.items()} for row in rows]


FORMATS = ("csv", "tsv", "jsonl", "parquet", "csv.gz", "jsonl.gz")
PAIRS = [(kind, kind) for kind in FORMATS] + [
    ("csv", "parquet"),
    ("parquet", "jsonl"),
    ("jsonl", "parquet"),
    ("tsv", "csv"),
]


@pytest.mark.parametrize(("source", "made"), PAIRS)
def test_the_rows_have_their_answers_in_their_order(ask, tmp_path, source, made):
    output = tmp_path / f"out.{made}"
    ask(write(tmp_path / f"in.{source}"), output)
    expected = [
        {"number": str(place), "text": text, "label": str(len(text)), "score": "0.5"}
        for place, text in enumerate(TEXTS)
    ]
    assert read(output) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"in.{source}", f"out.{made}"])


def test_parquet_keeps_the_types_of_its_columns(ask, tmp_path):
    table = pa.table(
        {
            "text": pa.array(["a", "bb", "a"]).dictionary_encode(),
            "at": pa.array([1, None, 3], pa.timestamp("ns", "UTC")),
            "tags": pa.array([["x"], [], None], pa.list_(pa.string())),
            "day": pa.array([datetime.date(2026, 1, 1)] * 3),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    ask(tmp_path / "in.parquet", tmp_path / "out.parquet")
    made = pq.read_table(tmp_path / "out.parquet")
    assert made.select(["at", "tags", "day"]).equals(table.select(["at", "tags", "day"]))
    assert made.schema.field("score").type == pa.float32()
    assert made.column("label").to_pylist() == ["1", "2", "1"]


def test_bytes_that_are_not_utf_8_stay_as_they_are(ask, tmp_path):
    (tmp_path / "in.csv").write_bytes(b"\xef\xbb\xbfname,text\nM\xfcller,good\n")
    ask(tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b"name,text,label,score\nM\xfcller,good,4,0.5\n"


def test_pipes(server):
    done = score(
        "--server",
        server.url,
        "--model",
        "lengths",
        "--input-format",
        "csv",
        "--output-format",
        "jsonl",
        "-",
        "-",
        stdin=b"text\nfour\nthree\n",
    )
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["4", "5"]


def test_a_pipe_that_nobody_reads_ends_the_run(server, tmp_path):
    command = [*COMMAND, "--server", server.url, "--model", "lengths", "--output-format", "csv"]
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*command, str(write(tmp_path / "in.csv")), "-"], stdout=written, stderr=subprocess.PIPE, env=environment()
    )
    os.close(written)
    assert (done.returncode, done.stderr) == (141, b"")


BAD = [
    ("csv", b"text\ngood\n\xff\xfe\nalso good\n", "UTF-8"),
    ("csv", b"text,n\ngood,1\ntoo,many,fields\nalso good,3\n", "3 fields"),
    ("jsonl", b'{"text": "good"}\nnot JSON\n{"text": "also good"}\n', "not JSON"),
    ("jsonl", b'{"text": "good"}\n{"text": null}\n{"text": "also good"}\n', "no value"),
    ("jsonl", b'{"text": "good"}\n{"text": 7}\n{"text": "also good"}\n', "a int"),
    ("jsonl", b'{"text": "good"}\n[1]\n{"text": "also good"}\n', "not an object"),
    ("csv", b"text\ngood\nrefused\nalso good\n", "'refused' is refused"),
]


@pytest.mark.parametrize(("kind", "content", "reason"), BAD)
def test_a_bad_row_stops_the_run_or_is_kept_with_the_reason(server, ask, tmp_path, kind, content, reason):
    server.refuses = "refused"
    (tmp_path / f"in.{kind}").write_bytes(content)
    code, stderr = ask(tmp_path / f"in.{kind}", tmp_path / "out.jsonl", check=False)
    assert code == 5
    assert "row 2" in stderr and reason in stderr
    ask(tmp_path / f"in.{kind}", tmp_path / "kept.jsonl", "--on-error", "keep")
    rows = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_bytes().decode(errors="replace").splitlines()]
    assert [row.get("label") for row in rows] == ["4", None, "9"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert reason in rows[1]["error"]


def test_a_json_row_with_another_column_does_not_fit_a_table(ask, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{"text": "good", "more": 1}\n')
    ask(tmp_path / "in.jsonl", tmp_path / "out.csv", "--on-error", "keep")
    assert "'more'" in read(tmp_path / "out.csv")[1]["error"]


def test_many_refused_rows_are_found_one_by_one(server, ask, tmp_path):
    server.refuses = "no"
    texts = ["no" if place % 7 == 3 else "yes" for place in range(200)]
    ask(write(tmp_path / "in.csv", texts), tmp_path / "out.csv", "--on-error", "keep")
    assert [bool(row["error"]) for row in read(tmp_path / "out.csv")] == [text == "no" for text in texts]


def test_an_overloaded_server_costs_time_only(server, ask, tmp_path):
    server.faults = [(503, "too many requests wait for this model", {})] * 4
    ask(write(tmp_path / "in.csv"), tmp_path / "out.csv")
    assert [row["label"] for row in read(tmp_path / "out.csv")] == [str(len(text)) for text in TEXTS]


WRONG = [
    (["in.csv", "out.xyz"], 2, "--output-format"),
    (["in.csv", "-", "--output-format", "parquet"], 2, "Parquet"),
    (["in.csv", "-", "--output-format", "csv", "--resume"], 2, "--resume"),
    (["in.csv", "in.csv"], 2, "same file"),
    (["in.csv", "out.csv", "--resume", "--overwrite"], 2, "--overwrite"),
    (["in.csv", "out.csv", "--in-flight", "0"], 2, "in_flight"),
    (["in.csv", "out.csv", "--label", "x"], 2, "--label"),
    (["in.csv", "out.csv", "--pair-column", "x"], 2, "--pair-column"),
    (["in.csv", "out.csv", "--header", "x"], 2, "--header"),
    (["in.csv", "nowhere/out.csv"], 2, "nowhere"),
    (["in.csv", "out.csv", "--ca-file", "x"], 2, "TLS"),
    (["in.csv", "out.csv", "--token-file", "missing"], 2, "missing"),
    (["labelled.csv", "out.csv"], 2, "--prefix"),
    (["missing.csv", "out.csv"], 3, "missing.csv"),
    (["empty.csv", "out.csv"], 3, "empty"),
    (["in.csv", "out.csv", "--text-column", "sentence"], 3, "'number', 'text'"),
    (["broken.parquet", "out.csv"], 3, "broken.parquet"),
    (["broken.csv.gz", "out.csv"], 3, "broken.csv.gz"),
    (["in.csv", "out.csv", "--model", "other"], 4, "unknown model"),
    (["in.csv", "out.csv", "--task", "text-ranking", "--text-column", "text", "--pair-column", "text"], 4, "tensors"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=lambda value: str(value)[:40])
def test_what_cannot_work_is_reported_with_its_exit_code(ask, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.csv")
    (tmp_path / "labelled.csv").write_text("text,label\na,b\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(b"text\n" + b"words\n" * 9000)[:40])
    before = sorted(path.name for path in tmp_path.iterdir())
    found, stderr = ask(*arguments, check=False)
    assert found == code, stderr
    assert words in stderr
    assert len(stderr.splitlines()) == 1
    if "broken.csv.gz" not in arguments:  # its first rows can be read
        assert sorted(path.name for path in tmp_path.iterdir()) == before
