"""--precision int8: built by one command, served by the real Triton, a text's answer the same whatever is beside it."""

import re
import shutil

import numpy as np
import pytest

from tests import tiny_models
from tests.selection import mostly_long
from tests.server.task_requests import ask, build
from utils.host.build_tree import BUILD
from utils.repository.corpus import GOLDEN_TEXTS

NAME = "test-precision"
# The first is converted anew, for what a conversion prints; the second takes its graph from the cache.
TEXTS = "the calibration texts"
BUILDS = {
    "ensemble": ["--layout", "ensemble", "--no-cache"],
    "fused": ["--layout", "fused"],
    "calibrated": ["--no-cache", "--calibration-file", TEXTS],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module", params=mostly_long(BUILDS, "fused", "calibrated"))
def served(request, model, serve_repository, tmp_path_factory):
    name, texts = f"{NAME}-{request.param}", tmp_path_factory.mktemp("texts") / "texts.tsv"
    texts.write_text("\n".join(tiny_models.SENTENCES), encoding="utf-8")
    options = [texts if each is TEXTS else each for each in BUILDS[request.param]]
    done = build(model, model, "-", name, "v1", 4, "--precision", "int8", *options)
    assert done.returncode == 0, done.stderr
    if "--no-cache" in BUILDS[request.param]:
        compared = re.search(r"int8 against PyTorch on (\d+) texts: same label", done.stderr)
        assert compared and int(compared[1]) > 20, "the task's texts, and the model's own"
    fixed = f"scales of int8 fixed from {len(tiny_models.SENTENCES)} texts of --calibration-file"
    assert (fixed in done.stderr) == (TEXTS in BUILDS[request.param])
    assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
    yield serve_repository(BUILD / name / "v1/model_repository").address, name
    shutil.rmtree(BUILD / name, ignore_errors=True)


def test_no_text_changes_the_answer_of_another(served):
    address, name = served
    alone = [ask("http", address, name, {"text_input": [[text]]})["scores"][0] for text in GOLDEN_TEXTS]
    for start in range(0, len(GOLDEN_TEXTS), 4):
        together = ask("grpc", address, name, {"text_input": [[text] for text in GOLDEN_TEXTS[start : start + 4]]})
        np.testing.assert_allclose(together["scores"], alone[start : start + 4], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--precision", "fp16"], 2, "--precision fp16 is not for --device cpu"),
        (["--precision", "int8", "--device", "gpu"], 2, "choose fp32, fp16, bf16, or build with --device cpu"),
        (["--precision", "int4"], 2, "choose one of: fp32, fp16, int8"),
        (["--precision", "int8", "--format", "torchscript"], 2, "is not for --format torchscript"),
        (["--precision", "int8", "--task", "logits"], 2, "is not for --task logits"),
        (["--precision", "int8", "--min-agreement", "99"], 2, "--min-agreement '99'"),
        (["--min-agreement", "0.9"], 2, "--min-agreement"),
        (["--precision", "int8", "--max-drift", "a little"], 2, "--max-drift 'a little' must be a number from 0 on"),
        (["--max-drift", "0.1"], 2, "--max-drift applies to a reduced precision"),
        (["--precision", "int8", "--eval-file", "./no-such.tsv"], 3, "--eval-file"),
    ],
)
def test_what_cannot_be_built_is_reported(model, options, code, words):
    done = build(model, model, "-", NAME, "v1", 4, *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr.splitlines()[-1]


def test_labelled_texts(tmp_path, model):
    """The agreement is that of these texts, and PyTorch's accuracy is told. A label that is none ends the build."""
    file = tmp_path / "texts.tsv"
    rows = [f"{text}\t{place % 3}" for place, text in enumerate(tiny_models.SENTENCES)]
    file.write_text("\n".join(["text\tlabel", *rows]), encoding="utf-8")
    options = ["--precision", "int8", "--eval-file", file, "--no-verify"]
    done = build(model, model, "-", NAME, "v1", 4, *options)
    shutil.rmtree(BUILD / NAME, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    assert f"PyTorch on {len(rows)} rows of --eval-file: accuracy " in done.stderr
    assert f"int8 against PyTorch on {len(rows)} texts: same label" in done.stderr
    file.write_text("text\tlabel\nsome text\train\n", encoding="utf-8")
    done = build(model, model, "-", NAME, "v1", 4, *options)
    assert (done.returncode, done.stdout) == (3, "")
    assert "line 2 has the label 'rain'" in done.stderr.splitlines()[-1]


@pytest.mark.long("limit1")
@pytest.mark.parametrize("limit", [("--min-agreement", "1"), ("--min-agreement", "0.5", "--max-drift", "0")])
def test_too_little_agreement_builds_nothing(model, limit):
    """No embedding of 8 bits has exactly the direction of PyTorch's."""
    options = ["--task", "feature-extraction", "--precision", "int8", *limit]
    done = build(model, model, "-", NAME, "v1", 4, *options)
    assert (done.returncode, done.stdout) == (5, "")
    assert "int8 does not agree with PyTorch: cosine similarity of at least 9" in done.stderr.splitlines()[-1]
    assert f"and {limit[-2]} is {limit[-1]}; measure on your own texts" in done.stderr.splitlines()[-1]
    assert not (BUILD / NAME).exists()


@pytest.mark.long("3")
@pytest.mark.parametrize("version", [1, 3])
def test_a_graph_that_the_quantizer_leaves_out_of_order_builds(tmp_path, version):
    model = tiny_models.deberta(tmp_path / "deberta", version=version)
    done = build(model, model, "-", NAME, "v1", 4, "--precision", "int8", "--min-agreement", "0.3")
    assert done.returncode == 0, done.stderr
    assert "answers equal" in done.stderr
    shutil.rmtree(BUILD / NAME, ignore_errors=True)
