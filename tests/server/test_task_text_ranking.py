"""text-ranking: built by one command, served by the real Triton, equal to PyTorch's own scores."""

import json
import shutil

import numpy as np
import pytest

from tests import tiny_models
from tests.selection import mostly_long
from tests.server.published import Increase, expected_names
from tests.server.task_requests import ask, build, original, post
from tests.server.test_task_text_pair_classification import PAIRS, inputs
from utils.host.build_tree import BUILD

NAME = "test-text-ranking"
# what the model's config says, the options of the build, the function for the same
IDENTITY = {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}
BUILDS = {
    "sigmoid": ("bert", {}, [], "sigmoid"),
    "the-model-s-own": ("roberta", IDENTITY, ["--layout", "ensemble"], "none"),
}


@pytest.fixture(scope="module", params=mostly_long(BUILDS, "the-model-s-own"))
def served(request, tmp_path_factory, serve_repository):
    """(address, name, PyTorch's score of (query, text)); built with batches of four."""
    family, config, options, function = BUILDS[request.param]
    folder = tmp_path_factory.mktemp("models") / family
    model = tiny_models.FAMILIES[family](folder, labels=("LABEL_0",), **config)
    name = f"{NAME}-{request.param}"
    done = build(model, model, "-", name, "v1", 4, "--task", "text-ranking", "--api", "tei", *options)
    assert done.returncode == 0, done.stderr
    assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
    assert "through the routes of --api" in done.stderr
    pipeline = original(model, "AutoModelForSequenceClassification", "TextClassificationPipeline")
    pipeline.tokenizer.model_max_length = min(pipeline.tokenizer.model_max_length, 512)
    address = serve_repository(BUILD / name / "v1/model_repository").address

    def score(query, text):
        """As CrossEncoder.predict tokenizes: an empty text is one, too."""
        tokens = pipeline.tokenizer([[query, text]], truncation=True, return_tensors="pt")
        logit = pipeline.model(**tokens).logits[0]
        return (logit.sigmoid() if function == "sigmoid" else logit).item()

    yield address, name, score
    shutil.rmtree(BUILD / name, ignore_errors=True)


def test_answers_as_the_pipeline(served):
    address, name, score = served
    expected = np.array([score(*pair) for pair in PAIRS])
    assert np.ptp(expected) > 1e-2, "pairs get different scores"
    for start in range(0, len(PAIRS), 4):
        pairs, right = PAIRS[start : start + 4], expected[start : start + 4].reshape(-1, 1)
        answer = ask("grpc", address, name, inputs(pairs))
        assert list(answer) == ["scores"]
        np.testing.assert_allclose(answer["scores"], right, atol=1e-4)
        np.testing.assert_allclose(ask("http", address, name, inputs(pairs[:1]))["scores"], right[:1], atol=1e-4)


def test_the_metrics_count_pairs_and_scores(served, serve_repository):
    address, name, _ = served
    increase = Increase(serve_repository(BUILD / name / "v1/model_repository").metrics, name)
    scores = ask("grpc", address, name, inputs(PAIRS[:4]))["scores"][:, 0]
    bounds = ("0", "0.5", "1") if name.endswith("own") else ("0.5", "1")
    increase.wait_for(
        text_tokens_count=4,
        best_score_count=4,
        best_score_bucket={bound: sum(scores <= float(bound)) for bound in bounds},
    )
    assert increase.names() == expected_names(BUILD / name / "v1")


def test_bad_requests_are_refused(served):
    address, name, _ = served
    with pytest.raises(Exception, match="input 'text_pair', row 0: not valid UTF-8"):
        ask("http", address, name, {"text_input": [["a"]], "text_pair": [[b"\xff"]]})
    status, body = post(address, name, {"text_input": ([1, 1], ["a"])})
    assert (status, "Traceback" in body["error"]) == (400, False)


def test_what_cannot_be_built_is_reported(tmp_path):
    one = tiny_models.bert(tmp_path / "one", labels=("score",))
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(["score"]), encoding="utf-8")
    for arguments, code, words in (
        ((one, one, labels, NAME), 2, "--task text-ranking has no labels; give - as ID2LABEL"),
        ((one, one, "-", NAME, "--activation", "softmax"), 2, "--activation 'softmax' is not for --task text-ranking"),
    ):
        done = build(*arguments, "--task", "text-ranking")
        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr.splitlines()[-1]
