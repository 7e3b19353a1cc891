"""sparse-embedding: built by one command, served by the real Triton, equal to sentence-transformers' own encode.

The library answers in a process of its own, from the folder alone: how it is called in a build has no part in it.
"""

import json
import shutil
import subprocess

import numpy as np
import pytest

from tests import tiny_models
from tests.server.page_models import splade
from tests.server.task_requests import ask, build, by_library
from tests.server.test_reference_answers import TEXTS, write
from tests.server.test_written_by_sentences_6 import PACKAGES
from utils.host import environment
from utils.host.build_tree import BUILD
from utils.host.environments import SENTENCES6

USERS_CODE = """
import json, sys
sys.path.append(sys.argv[1])
import sentence_transformers
model = sentence_transformers.SparseEncoder(sys.argv[2], device="cpu")
texts, choices = json.loads(sys.argv[3]), json.loads(sys.argv[4])
print(json.dumps([[model.encode([each], **choice).to_dense()[0].tolist() for each in texts] for choice in choices]))
"""


SAVED_CODE = """
import sys
sys.path.append(sys.argv[1])
import sentence_transformers
model = sentence_transformers.SparseEncoder(sys.argv[2], device="cpu")
model[1].activation_function, model.max_active_dims = "log1p_relu", 40
model.save(sys.argv[3])
print("null")
"""


def by_6(code, *arguments):
    """As by_library, by version 6."""
    command = [environment.ensure(SENTENCES6), "-c", code, PACKAGES, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def plain(folder):
    """As it is trained, without a file of sentence-transformers; the tokenizer names no limit otherwise."""
    tiny_models.as_masked_language_model(folder, tiny_models.roberta)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    write(folder, "tokenizer_config.json", {**config, "model_max_length": 512})
    return folder


def summed(folder):
    """The first SPLADE sums; opensearch's take the logarithm twice."""
    pooling = {"pooling_strategy": "sum", "activation_function": "log1p_relu"}
    write(splade(folder), "1_SpladePooling/config.json", pooling)
    return folder


def by_version_6(folder):
    source = tiny_models.as_masked_language_model(folder.parent / "source", tiny_models.bert)
    by_6(SAVED_CODE, source, folder)
    return folder


# what makes the folder, --top-k, further options, how far an answer may be off
CASES = {
    "plain": (plain, 30, (), 1e-5),
    "summed": (summed, None, ("--layout", "ensemble", "--api", "tei"), 1e-5),
    "version-6": (by_version_6, 40, (), 1e-5),
    "in-int8": (splade, 40, ("--precision", "int8", "--min-agreement", "0.5"), None),
}


@pytest.mark.long("summed")
@pytest.mark.parametrize("case", CASES)
def test_the_served_weights_are_those_of_encode(tmp_path, serve_repository, case):
    make, top_k, options, tolerance = CASES[case]
    folder, name = make(tmp_path / "model"), f"test-sparse-{case}"
    options = (*options, *(("--top-k", top_k) if top_k and case != "version-6" else ()))
    try:
        done = build(folder, folder, "-", name, "v1", 4, "--task", "sparse-embedding", *options)
        assert done.returncode == 0, done.stderr
        assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
        address = serve_repository(BUILD / name / "v1/model_repository").address
        choices = [{"max_active_dims": top_k}, {"max_active_dims": 3, "prompt_name": "query"}]
        answers = by_6 if case == "version-6" else by_library
        right, chosen = map(np.array, answers(USERS_CODE, folder, json.dumps(TEXTS), json.dumps(choices)))
        assert np.ptp(right, axis=0).max() > 1e-2
        if tolerance:
            for text, row in zip(TEXTS, chosen, strict=True):
                answer = ask("grpc", address, name, {"text_input": [[text]]}, {"top_k": 3, "prompt_name": "query"})
                np.testing.assert_allclose(dense(answer, len(row))[0], row, atol=tolerance, rtol=1e-5)
        served = [dense(ask("grpc", address, name, {"text_input": [[text]]}), right.shape[1])[0] for text in TEXTS]
        counts = [(each > 0).sum() for each in served]
        assert max(counts) == top_k or (top_k is None and len(set(counts)) > 1)
        if tolerance:
            np.testing.assert_allclose(served, right, atol=tolerance, rtol=1e-5)
        batch = dense(ask("http", address, name, {"text_input": [[text] for text in TEXTS[:4]]}), right.shape[1])
        np.testing.assert_allclose(batch, served[:4], atol=1e-4)
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)


def dense(answer, size):
    """The answer as the library gives it: the weights of the whole vocabulary."""
    assert set(answer) == {"indices", "weights"}
    rows = np.zeros((len(answer["indices"]), size), dtype=np.float32)
    for row, ids, weights in zip(rows, answer["indices"], answer["weights"], strict=True):
        kept = ids >= 0
        assert not weights[~kept].any()
        assert (np.diff(ids[kept]) > 0).all() and kept[: kept.sum()].all(), "ascending, the padding last"
        row[ids[kept]] = weights[kept]
    return rows


@pytest.mark.parametrize(
    ("change", "arguments", "code", "says"),
    [
        (
            {"modules.json": [{"type": "sentence_transformers.base.modules.Router"}]},
            (),
            3,
            "has the module Router, which has modules for each kind of text; save each of its routes as a model",
        ),
        ({"1_SpladePooling/config.json": {"pooling_strategy": "mean"}}, (), 3, "'mean'; this task serves max or sum"),
        ({"1_SpladePooling/config.json": {"threshold": 0.5}}, (), 3, "threshold = 0.5"),
        ({"config_sentence_transformers.json": {}}, (), 3, "model_type SentenceTransformer; this task serves a Spar"),
        ({}, ("--top-k", "0"), 2, "--top-k"),
        ({}, ("--pooling", "max"), 2, "--pooling is not for"),
    ],
)
def test_a_mistake_is_reported_before_anything_slow_runs(tmp_path, change, arguments, code, says):
    folder = splade(tmp_path / "model")
    for name, content in change.items():
        write(folder, name, content)
    done = build(folder, folder, "-", "test-sparse-mistake", "--task", "sparse-embedding", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert "weights" not in done.stderr.replace("weights of a sparse", ""), "told before the weights are looked at"


def test_a_model_without_the_head_is_refused(tmp_path):
    """The library would add layers with random weights."""
    folder = tiny_models.bert(tmp_path / "model")
    done = build(folder, folder, "-", "test-sparse-mistake", "--task", "sparse-embedding")
    assert done.returncode == 3
    assert "has the class BertForSequenceClassification" in done.stderr.splitlines()[-1]


def test_a_dry_run_tells_the_tensors_of_the_build(tmp_path):
    folder = splade(tmp_path / "model")
    done = build(
        folder,
        folder,
        "-",
        "test-sparse-dry",
        "--task",
        "sparse-embedding",
        "--layout",
        "ensemble",
        "--dry-run",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["served_model"]["outputs"] == ["indices INT64 [-1]", "weights FP32 [-1]"]
    assert (plan["task"]["pooling_strategy"], plan["task"]["top_k"]) == ("max", None)
    assert plan["steps"][1]["outputs"] == ["logits FP32 [182]"], "the pooling is in the graph"
