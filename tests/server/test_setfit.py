"""SetFit folders that setfit saved: built by one command, served by the real Triton, equal to setfit's own answers.

setfit saves the folders and answers in a process of its own, from the folder alone.
"""

import json
import shutil
import subprocess

import numpy as np
import pytest

from tests import tiny_models
from tests.sentence_folders import NORMALIZE, dense, embedder, pooling
from tests.server.task_requests import ask, build, by_library
from tests.server.test_reference_answers import TEXTS, with_modules
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.host.environments import FACTORY, SENTENCES, SETFIT
from utils.sources.setfit_head import CONVERT

LABELS = {"two": ["neg", "pos"]}
# the head, whether it is normalized, further options
CASES = {
    "two": (False, ("--allow-pickle",)),
    "older": (True, ("--allow-pickle", "--top-k", "3", "--layout", "ensemble")),
    "multi-output": (True, ("--allow-pickle",)),
    "torch": (False, ("--allow-pickle", "--top-k", "2")),
    "three": (True, ("--top-k", "3")),
}


def by_setfit(jobs):
    """setfit's answers to TEXTS from each folder that it saves, [texts, labels]; see written_by_setfit.py."""
    script = ROOT / "tests/server/written_by_setfit.py"
    answers = by_library(script, json.dumps(TEXTS), json.dumps(jobs, default=str), behind=[SETFIT])
    return list(map(np.array, answers))


def long_body(folder):
    """A body with more modules, and a prompt before every text."""
    chain = [pooling("mean"), dense(32, 24), ("LayerNorm", {"dimension": 24}), NORMALIZE]
    own = {"prompts": {"query": "I would like: "}, "default_prompt_name": "query"}
    return embedder(tiny_models.bert(folder), chain, own)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """{head: (a folder that setfit saved, its answers)}, all by one process."""
    place = tmp_path_factory.mktemp("setfit")
    body = with_modules(tiny_models.bert(place / "body"), ["Transformer", "Pooling"])
    longer, jobs = long_body(place / "long"), []
    for head in (*CASES, "chain", "neighbours"):
        settings = {"labels": LABELS.get(head, ["neg", "neu", "pos"])}
        settings["normalize_embeddings"] = CASES[head][0] if head in CASES else False
        jobs.append([longer if head in ("three", "multi-output") else body, head, settings, place / head])
    answers = by_setfit(jobs)
    return {head: (folder, right) for (_, head, _, folder), right in zip(jobs, answers, strict=True)}


def copied(folder, place):
    return shutil.copytree(folder, place / "model")


def without_pickle(folder):
    """As the message of the refusal says, in an environment with scikit-learn."""
    packages = next(SENTENCES.folder.glob("lib/python*/site-packages"))
    path = {"PATH": f"{FACTORY.python.parent}", "PYTHONPATH": str(packages)}
    done = subprocess.run(["/bin/sh", "-c", CONVERT], cwd=folder, env=path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "model_head.pkl").unlink()


@pytest.mark.long("older")
@pytest.mark.parametrize("head", CASES)
def test_the_served_probabilities_are_those_of_setfit(tmp_path, saved, serve_repository, head):
    _, options = CASES[head]
    folder, name = copied(saved[head][0], tmp_path), f"test-setfit-{head}"
    right = saved[head][1]
    assert np.ptp(right, axis=0).max() > 1e-2, "texts get different answers"
    if head == "three":
        without_pickle(folder)
    try:
        done = build(folder, folder, "-", name, "v1", 4, *options)
        assert done.returncode == 0, done.stderr
        assert "answers of setfit 1.2.0 to " in done.stderr and "HTTP and gRPC: answers equal" in done.stderr
        assert ("was written by scikit-learn 1.5.0 and is read by 1.9.1" in done.stderr) == (head == "older")
        address = serve_repository(BUILD / name / "v1/model_repository").address
        labels = LABELS.get(head, ["neg", "neu", "pos"])
        for text, row in zip(TEXTS, right, strict=True):
            answer = ask("grpc", address, name, {"text_input": [[text]]})
            order = np.argsort(-row)[: answer["scores"].shape[1]]
            np.testing.assert_allclose(answer["scores"][0], row[order], atol=1e-5, err_msg=text[:50])
            assert [each.decode() for each in answer["predicts"][0]] == [labels[place] for place in order]
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)


@pytest.mark.parametrize(
    ("head", "options", "code", "message"),
    [
        ("three", (), 3, "is a pickle (model_head.pkl)"),
        ("chain", ("--allow-pickle",), 3, "ClassifierChain, which this factory does not serve"),
        ("neighbours", ("--allow-pickle",), 3, "KNeighborsClassifier, which this factory does not serve"),
        ("three", ("--allow-pickle", "--activation", "sigmoid"), 2, "--activation is not for a SetFit model"),
        ("three", ("--allow-pickle", "--top-k", "4"), 2, "--top-k 4 is more than the model has labels"),
    ],
)
def test_what_cannot_be_served_is_reported_before_the_weights_are_read(tmp_path, saved, head, options, code, message):
    folder = copied(saved[head][0], tmp_path)
    if code == 3:
        (folder / "model.safetensors").write_bytes(b"")
    done = build(folder, folder, "-", "test-setfit-refused", *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_a_pickle_runs_in_another_process(tmp_path, saved):
    """What it does to its own process has no effect on the build's; here it ends it."""
    folder = copied(saved["three"][0], tmp_path)
    (folder / "model_head.pkl").write_bytes(b"cos\n_exit\n(I7\ntR.")
    done = build(folder, folder, "-", "test-setfit-refused", "--allow-pickle")
    assert done.returncode == 3
    assert "model_head.pkl' ended with status 7" in done.stderr.splitlines()[-1]
