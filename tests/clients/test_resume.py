"""Runs of `score` that are killed: nothing is lost, nothing is there twice; what cannot be continued is refused."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.clients.faulty import faulty
from tests.clients.scoring import COMMAND, environment, killed_at, score_here
from tests.clients.test_score import read, write

ROWS = 1500
# So that a run takes 5 s and its journal has many lines.
SLOWLY = ("--batch", "1", "--in-flight", "1")


@pytest.fixture(scope="module")
def server():
    with faulty() as running:
        running.limit, running.delay = 64, 0.003
        yield running


@pytest.fixture
def ask(server):
    return lambda *arguments, **more: score_here("--server", server.url, "--model", "lengths", *arguments, **more)


def texts(count=ROWS):
    return [f"{place} " + "x" * (place % 97) for place in range(count)]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz", "out.parquet"])
def test_killed_twice_and_resumed_the_rows_are_those_of_a_straight_run(server, ask, tmp_path, name):
    source = write(tmp_path / f"in.{name.partition('.')[2]}", texts())
    ask(source, tmp_path / f"straight{name[3:]}")
    output = tmp_path / name
    command = ["--server", server.url, "--model", "lengths", source, output, "--resume", *SLOWLY]
    first = killed_at(1, output, *command)
    second = killed_at(first + 1, output, *command)
    assert 0 < first < second < ROWS
    assert not output.exists()
    _, stderr = ask(source, output, "--resume")
    assert f"{ROWS - second} rows" in stderr
    assert read(output) == read(tmp_path / f"straight{name[3:]}")
    assert len(read(output)) == ROWS
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, f"straight{name[3:]}", name])


@pytest.fixture(scope="module")
def killed(server, tmp_path_factory):
    """A folder with in.csv, straight.csv and the files of a killed run."""
    folder = tmp_path_factory.mktemp("killed")
    source = write(folder / "in.csv", texts())
    command = ["--server", server.url, "--model", "lengths"]
    score_here(*command, source, folder / "straight.csv")
    killed_at(1, folder / "out.csv", *command, source, folder / "out.csv", *SLOWLY)
    return folder


@pytest.fixture
def folder(killed, tmp_path):
    """A copy of it."""
    return shutil.copytree(killed, tmp_path / "copy")


@pytest.mark.parametrize(
    ("file", "tail"),
    [
        ("part", b""),
        ("part", b"half of a row"),
        ("part", b"1499,text,4,0.5\n" * 3),
        ("journal", b'{"rows": 14'),
        ("journal", b""),
    ],
)
def test_what_a_kill_leaves_half_written_does_not_count(ask, folder, file, tail):
    with (folder / f"out.csv.{file}").open("ab") as stream:
        stream.write(tail)
    ask(folder / "in.csv", folder / "out.csv", "--resume")
    assert (folder / "out.csv").read_bytes() == (folder / "straight.csv").read_bytes()


def test_a_kill_before_the_first_line_of_the_journal(ask, folder):
    (folder / "out.csv.journal").write_bytes(b'{"input": "sha')
    ask(folder / "in.csv", folder / "out.csv", "--resume")
    assert (folder / "out.csv").read_bytes() == (folder / "straight.csv").read_bytes()


def test_a_kill_between_the_last_two_steps(ask, folder):
    lines = (folder / "out.csv.journal").read_bytes().splitlines(keepends=True)
    size = (folder / "straight.csv").stat().st_size
    end = json.dumps({"rows": ROWS, "bytes": size}).encode() + b"\n"
    (folder / "out.csv.journal").write_bytes(lines[0] + end)
    (folder / "out.csv.part").unlink()
    shutil.copy(folder / "straight.csv", folder / "out.csv")
    _, stderr = ask(folder / "in.csv", folder / "out.csv", "--resume")
    assert "written before" in stderr
    assert not (folder / "out.csv.journal").exists()
    assert (folder / "out.csv").read_bytes() == (folder / "straight.csv").read_bytes()


def test_a_kill_while_parquet_is_made(ask, tmp_path):
    """The Arrow stream is whole: it is turned into Parquet again."""
    source = write(tmp_path / "in.parquet", texts(50))
    ask(source, tmp_path / "straight.parquet")
    (tmp_path / "out.parquet.converting").write_bytes(b"PAR1 half")
    ask(source, tmp_path / "out.parquet", "--resume")
    assert read(tmp_path / "out.parquet") == read(tmp_path / "straight.parquet")
    assert not (tmp_path / "out.parquet.converting").exists()


OTHERS = [
    (["--prefix", "x"], "prefix"),
    (["--on-error", "keep"], "on_error"),
    (["--text-column", "number"], "reads"),
    (["--output-format", "tsv"], "formats"),
]


@pytest.mark.parametrize(("options", "name"), OTHERS)
def test_a_run_with_other_options_is_not_continued(ask, folder, options, name):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    code, stderr = ask(folder / "in.csv", folder / "out.csv", "--resume", *options, check=False)
    assert code == 2
    assert f"{name} was" in stderr and "--overwrite" in stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_with_another_input_is_not_continued(ask, folder):
    with (folder / "in.csv").open("a") as stream:
        stream.write("1500,one more\n")
    code, stderr = ask(folder / "in.csv", folder / "out.csv", "--resume", check=False)
    assert code == 2 and "input was 'sha256:" in stderr
    ask(folder / "in.csv", folder / "out.csv", "--overwrite")
    assert len(read(folder / "out.csv")) == ROWS + 1


def test_an_unfinished_run_is_not_continued_or_replaced_unasked(ask, folder):
    code, stderr = ask(folder / "in.csv", folder / "out.csv", check=False)
    assert code == 2 and "--resume" in stderr


def test_a_finished_output_is_not_replaced_unasked(ask, folder):
    for options in ([], ["--resume"]):
        code, stderr = ask(folder / "in.csv", folder / "straight.csv", *options, check=False)
        assert code == 2 and "--overwrite" in stderr
    assert sorted(path.name for path in folder.glob("straight*")) == ["straight.csv"]


def test_a_part_that_lost_rows_is_not_continued(ask, folder):
    os.truncate(folder / "out.csv.part", 10)
    code, stderr = ask(folder / "in.csv", folder / "out.csv", "--resume", check=False)
    assert code == 2 and "10 bytes" in stderr


@pytest.fixture
def running(server, folder):
    """A slow run on the copied folder, which goes on with the killed one."""
    command = [
        *COMMAND,
        "--server",
        server.url,
        "--model",
        "lengths",
        folder / "in.csv",
        folder / "out.csv",
        "--resume",
    ]
    before = (folder / "out.csv.journal").stat().st_size
    process = subprocess.Popen([*map(str, command), *SLOWLY], stderr=subprocess.PIPE, env=environment())
    while (folder / "out.csv.journal").stat().st_size == before:
        assert process.poll() is None
        time.sleep(0.01)
    yield process
    process.kill()
    process.communicate()


def test_two_runs_do_not_write_one_output(ask, folder, running):
    for option in ("--resume", "--overwrite"):
        code, stderr = ask(folder / "in.csv", folder / "out.csv", option, check=False)
        assert code == 2 and "in use" in stderr
    assert running.poll() is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_it_goes_on(ask, folder, running, number, code):
    running.send_signal(number)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    assert b"--resume" in stderr and b"Traceback" not in stderr
    ask(folder / "in.csv", folder / "out.csv", "--resume")
    assert (folder / "out.csv").read_bytes() == (folder / "straight.csv").read_bytes()


def test_a_server_that_ends_leaves_the_rows_so_far(tmp_path):
    source = write(tmp_path / "in.csv", texts(400))
    with faulty() as first:
        first.faults = [None] * 60 + [(503, "ends", {})] * 10000
        command = ["--model", "lengths", source, tmp_path / "out.csv"]
        code, stderr = score_here(
            "--server", first.url, *command, "--in-flight", "1", "--batch", "4", "--deadline", "1", check=False
        )
        assert code == 4 and "--resume" in stderr
    with faulty() as second:
        score_here("--server", second.url, *command, "--batch", "4", "--resume")
        assert sum(len(request["texts"]) for request in second.requests) < 400
    assert [row["label"] for row in read(tmp_path / "out.csv")] == [str(len(text)) for text in texts(400)]
