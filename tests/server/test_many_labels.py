"""12,000 labels: they can be built, and the canary of their image costs little while it serves."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests import tiny_models
from tests.server.faults.supervised import lay_out_serving, supervised
from tests.server.task_requests import build, post
from utils.host.build_tree import BUILD

LABELS, NAME = 12_000, "test-many-labels"
# Long enough for the canary to ask a few times.
SERVED_SECONDS = 30


def cpu_seconds(pid):
    """Of each thread of a process but its main one: fields 14 and 15 of proc(5) stat."""
    spent = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        fields = (thread / "stat").read_text().rpartition(")")[2].split()
        spent[int(thread.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    del spent[pid]
    return spent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The build tree. Work that is quadratic in the labels ends in build()'s time-out."""
    labels = tuple(f"concept {number:05d}" for number in range(LABELS))
    folder = tmp_path_factory.mktemp("models") / "bert"
    model = tiny_models.bert(folder, labels=labels, problem_type="multi_label_classification")
    done = build(model, model, "-", NAME, "v1", 8)
    assert done.returncode == 0, done.stderr
    assert "answers equal" in done.stderr
    yield BUILD / NAME / "v1"
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


@pytest.mark.long
def test_the_canary_takes_one_percent_of_a_processor_at_most(built, tmp_path):
    """It has a thread of its own in the supervisor: no thread but the main one, which watches processes, takes more."""
    serving = lay_out_serving(tmp_path / "serving", built / "golden.json")
    with supervised(built / "model_repository", serving, tmp_path) as server:
        server.wait_until_ready()
        status, answer = post(server.address, NAME, {"text_input": ([1, 1], ["a"])})
        assert (status, answer["outputs"][0]["shape"]) == (200, [1, LABELS])
        used, started = cpu_seconds(server.process.pid), time.monotonic()
        time.sleep(SERVED_SECONDS)
        spent, seconds = cpu_seconds(server.process.pid), time.monotonic() - started
        assert server.is_healthy()
    shares = {thread: (spent[thread] - used[thread]) / seconds for thread in used}
    assert shares
    assert max(shares.values()) <= 0.01, shares
