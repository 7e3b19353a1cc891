"""Processes of a list of builds: order, number at a time, output, failures. tests/interruption stops real ones.

Most tests run a short Python program in place of a build; it hides how long a build takes, and nothing of many.py.
"""

import json
import signal
import sys
import threading

import pytest

from utils.factory import many
from utils.host.errors import ListError, Terminated
from utils.options.build_spec import build_spec
from utils.options.release_choice import InstalledGpu

RESULT = "import json; print(json.dumps({'image': 'tritoned_a:v1', 'labels': ['ü'] * %d}))"
FAILURE = "import sys; print('error: one\\nerror: the model is bad', file=sys.stderr); sys.exit(%d)"


def planned(name, **values):
    values = {"model": "m", "tokenizer": "t", "id2label": "-", "model_name": name, "tag": "v1", **values}
    return many.Planned(values=values, spec=build_spec(values, InstalledGpu()))


@pytest.fixture
def run(monkeypatch):
    """`run(program, ..., jobs=1)`: the outcomes of builds a, b, ... that run these programs."""

    def outcomes(*programs, jobs=1):
        builds = [planned(chr(ord("a") + number)) for number in range(len(programs))]
        by_name = dict(zip([each.name for each in builds], programs, strict=True))
        monkeypatch.setattr(many, "_command", lambda build: [sys.executable, "-c", by_name[build.name]])
        return many.build_all(builds, jobs)

    return outcomes


def test_a_failure_does_not_stop_the_others(run, capfd):
    outcomes = run(RESULT % 1, FAILURE % 5, FAILURE % 4, RESULT % 1)
    assert [(each.build.name, each.exit_code, each.error) for each in outcomes] == [
        ("a:v1", 0, ""),
        ("b:v1", 5, "the model is bad"),
        ("c:v1", 4, "the model is bad"),
        ("d:v1", 0, ""),
    ]
    assert "[b:v1] error: the model is bad\n" in capfd.readouterr().err
    with pytest.raises(ListError, match="2 of 4 builds failed: b:v1, c:v1") as caught:
        many.require_all(outcomes)
    assert caught.value.exit_code == 5
    assert many.report(outcomes, as_json=False) == "tritoned_a:v1\ntritoned_a:v1"
    written = json.loads(many.report(outcomes, as_json=True))
    assert written["failed"] == 2
    assert written["builds"][0] == {"model_name": "a", "tag": "v1", "image": "tritoned_a:v1", "labels": ["ü"]}
    assert written["builds"][1] == {"model_name": "b", "tag": "v1", "error": "the model is bad", "exit_code": 5}
    assert many.table(outcomes).splitlines()[0].split() == ["name", "tag", "result", "seconds", "image", "or", "reason"]
    assert many.table(outcomes).splitlines()[2].endswith("the model is bad")


def test_no_failure_is_no_error(run):
    many.require_all(run(RESULT % 1))


def test_a_result_larger_than_a_pipe(run):
    [outcome] = run(RESULT % 200_000)
    assert len(outcome.result["labels"]) == 200_000


def test_a_killed_build_failed(run):
    [outcome] = run("import os; os.kill(os.getpid(), 9)")
    assert (outcome.exit_code, outcome.error) == (137, "the process of this build ended with exit code 137")


def test_two_at_a_time(run, tmp_path):
    """Each of the first two waits for the other; the third starts after one of them."""
    meet = (
        "import pathlib, time; place = pathlib.Path({place!r}); (place / {mine!r}).touch()\n"
        "deadline = time.monotonic() + 60\n"
        "while not (place / {other!r}).exists(): assert time.monotonic() < deadline; time.sleep(0.01)\n"
    )
    first, second = (
        meet.format(place=str(tmp_path), mine=mine, other=other) + RESULT % 1
        for mine, other in (("one", "two"), ("two", "one"))
    )
    third = f"import pathlib; assert len(list(pathlib.Path({str(tmp_path)!r}).iterdir())) == 2\n" + RESULT % 1
    assert [each.exit_code for each in run(first, second, third, jobs=2)] == [0, 0, 0]


def test_one_at_a_time(run, tmp_path):
    alone = f"import pathlib, time; place = pathlib.Path({str(tmp_path)!r}) / 'running'; place.touch(exist_ok=False)\n"
    program = f"{alone}time.sleep(0.1); place.unlink()\n{RESULT % 1}"
    assert [each.exit_code for each in run(program, program, program)] == [0, 0, 0]


def test_a_signal_ends_the_running_builds_and_starts_no_other(run, tmp_path):
    wait = f"import pathlib, time; (pathlib.Path({str(tmp_path)!r}) / '%s').touch(); time.sleep(600)"
    main = threading.get_ident()

    def stop():
        while len(list(tmp_path.iterdir())) < 2:
            pass
        signal.pthread_kill(main, signal.SIGUSR1)

    def terminated(*_):
        raise Terminated

    previous = signal.signal(signal.SIGUSR1, terminated)
    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(Terminated):
            run(wait % "one", wait % "two", wait % "three", jobs=2)
    finally:
        stopper.join()
        signal.signal(signal.SIGUSR1, previous)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
