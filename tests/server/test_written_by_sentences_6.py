"""Folders that sentence-transformers 6 saved: built by one command, served by the real Triton, equal to version 6.

Version 6 saves the folders and answers in one process of its own. Version 5, which the factory has for other folders,
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
from tests.server.test_reference_answers import PAIRS, TEXTS
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
    "dense-behind-a-prompt": (
        "SentenceTransformer",
        {
            "pooling": ["lasttoken", "weightedmean"],
            "dense": {"in_features": 64, "out_features": 16, "use_residual": True},
            "normalize": True,
            "prompts": {"query": "fox: "},
            "default_prompt_name": "query",
        },
        (),
    ),
    "max-in-int8": ("SentenceTransformer", {"pooling": "max"}, ("--precision", "int8", "--min-agreement", "0.5")),
    "tanh-of-short-texts": (
        "CrossEncoder",
        {"activation": "Tanh", "max_length": 24, "prompts": {"query": "quick fox: "}, "default_prompt_name": "query"},
        (),
    ),
}
TASKS = {"SentenceTransformer": "feature-extraction", "CrossEncoder": "text-ranking"}
# The graph's numbers are 8-bit ones there.
TOLERANCES = {"max-in-int8": 0.5}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """{case: (the folder that version 6 saved, texts or pairs, version 6's answer to each)}, by one process."""
    jobs = []
    for case, (kind, settings, _options) in CASES.items():
        labels, texts = (("score",), PAIRS) if kind == "CrossEncoder" else (tiny_models.LABELS, TEXTS)
        place = tmp_path_factory.mktemp(case)
        source = tiny_models.bert(place / "source", labels=labels)
        own = {"source": str(source), "kind": kind, "settings": settings, "folder": str(place / "model")}
        jobs.append({**own, "texts": texts})
    script = ROOT / "tests/server/written_by_sentences_6.py"
    command = [environment.ensure(SENTENCES6), script, PACKAGES, json.dumps(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    return {
        case: (Path(job["folder"]), job["texts"], of_job)
        for case, job, of_job in zip(CASES, jobs, answers, strict=True)
    }


@pytest.mark.long("dense-behind-a-prompt")
@pytest.mark.parametrize("case", CASES)
def test_the_served_answers_are_those_of_version_6(written, serve_repository, case):
    kind, _, options = CASES[case]
    folder, texts, answers = written[case]
    name = f"test-sentences6-{case}"
    try:
        options = ("--task", TASKS[kind], "--no-cache", "--no-verify", *options)
        done = build(folder, folder, "-", name, "v1", 4, *options)
        assert done.returncode == 0, done.stderr
        assert "answers of sentence-transformers 6.2.0 to " in done.stderr
        address = serve_repository(BUILD / name / "v1/model_repository").address
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
