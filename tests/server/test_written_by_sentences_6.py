"""Folders that sentence-transformers 6 saved: built by one command, served by the real Triton, equal to version 6.

Version 6 saves the folder and answers in a process of its own. Version 5, which the factory has for other folders,
cannot load an embedder that ends with Normalize: version 6 has moved that class.
"""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import tiny_models
from tests.server.task_requests import ask, build
from tests.server.test_reference_answers import PAIRS, TEXTS, USERS_CODE
from utils import ROOT
from utils.host import environment
from utils.host.build_tree import BUILD
from utils.host.environments import SENTENCES6

PACKAGES = str(Path(torch.__file__).parent.parent)
CASES = {
    "cls": (
        "SentenceTransformer",
        {"pooling": "cls", "normalize": True, "truncate_dim": 9},
        ("--layout", "ensemble"),
    ),
    "max-in-int8": ("SentenceTransformer", {"pooling": "max"}, ("--precision", "int8", "--min-agreement", "0.5")),
    "tanh-of-short-texts": ("CrossEncoder", {"activation": "Tanh", "max_length": 24}, ()),
}
TASKS = {"SentenceTransformer": "feature-extraction", "CrossEncoder": "text-ranking"}
# The graph's numbers are 8-bit ones there.
TOLERANCES = {"max-in-int8": 0.5}


def by_6(*arguments):
    command = [environment.ensure(SENTENCES6), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(folder, kind, settings):
    labels = ("score",) if kind == "CrossEncoder" else tiny_models.LABELS
    source = tiny_models.bert(folder / "source", labels=labels)
    script = ROOT / "tests/server/written_by_sentences_6.py"
    by_6(script, PACKAGES, source, kind, json.dumps(settings), folder / "model")
    return folder / "model"


@pytest.mark.parametrize("case", CASES)
def test_the_served_answers_are_those_of_version_6(tmp_path, serve_repository, case):
    kind, settings, options = CASES[case]
    folder = written(tmp_path, kind, settings)
    name = f"test-sentences6-{case}"
    try:
        done = build(folder, folder, "-", name, "v1", 4, "--task", TASKS[kind], "--no-cache", *options)
        assert done.returncode == 0, done.stderr
        assert "answers of sentence-transformers 6.2.0 to " in done.stderr
        address = serve_repository(BUILD / name / "v1/model_repository").address
        texts = TEXTS if kind == "SentenceTransformer" else PAIRS
        answers = json.loads(by_6("-c", USERS_CODE, PACKAGES, kind, folder, json.dumps(texts)).splitlines()[-1])
        assert np.ptp(answers, axis=0).max() > 1e-2
        for text, answer in zip(texts, answers, strict=True):
            columns = [text] if isinstance(text, str) else text
            request = dict(zip(("text_input", "text_pair"), ([[each]] for each in columns), strict=False))
            served = next(iter(ask("grpc", address, name, request).values()))
            np.testing.assert_allclose(
                served.reshape(-1), np.reshape(answer, -1), atol=TOLERANCES.get(case, 1e-4), err_msg=repr(text)[:100]
            )
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)
