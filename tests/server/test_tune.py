"""benchmarks/tune.sh on a build that is slow for a reason, and a build with what it found."""

import shutil
import subprocess

import pytest

from tests import tiny_models
from tests.selection import mostly_long
from tests.server.task_requests import build
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.repository.check import parse_config

NAME = "test-tune"
# Microseconds that a lone client waits for others that never come.
SLOW = 60_000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module", params=mostly_long(["ensemble", "fused"], "fused"))
def slow(request, model):
    options = ["--layout", request.param, "--batch-delay", SLOW, "--no-verify"]
    done = build(model, model, "-", NAME, request.param, 8, *options)
    assert done.returncode == 0, done.stderr
    yield request.param
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


def delays(tag):
    configs = (parse_config(file) for file in (BUILD / NAME / tag / "model_repository").glob("*/config.pbtxt"))
    return max(config.dynamic_batching.max_queue_delay_microseconds for config in configs)


def test_what_slows_a_build_down_is_found_and_not_built_again(slow, model):
    assert delays(slow) == SLOW
    options = ["--only", "batch_delay", "--clients", "1", "--rounds", "1", "--seconds", "1"]
    command = [ROOT / "benchmarks/tune.sh", NAME, slow, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{BUILD / NAME / slow}.tuned.yaml\n"
    assert "the build has" in done.stderr and f"batch_delay {SLOW}" in done.stderr
    options = ["--layout", slow, "--config", done.stdout.strip(), "--no-verify"]
    done = build(model, model, "-", NAME, f"{slow}-tuned", 8, *options)
    assert done.returncode == 0, done.stderr
    assert delays(f"{slow}-tuned") < SLOW / 10


@pytest.mark.long
def test_a_task_of_two_texts_gets_its_golden_requests(model):
    task = ["--task", "text-pair-classification"]
    done = build(model, model, "-", NAME, "pairs", 8, *task)
    assert done.returncode == 0, done.stderr
    options = ["--only", "batch_delay", "--clients", "2", "--rounds", "1", "--seconds", "1"]
    command = [ROOT / "benchmarks/tune.sh", NAME, "pairs", *options, "--out", BUILD / NAME / "pairs.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    shutil.rmtree(BUILD / NAME, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    assert " golden requests, 1 rounds of 1 s" in done.stderr
    assert "| batch_delay 5000 | 2 | " in done.stderr
