"""text-pair-classification: built by one command, served by the real Triton, equal to transformers' own pipeline."""

import shutil

import numpy as np
import pytest

from tests import tiny_models
from tests.selection import mostly_long
from tests.server.task_requests import ask, build, original, post
from utils.host.build_tree import BUILD
from utils.repository.corpus import GOLDEN_PAIRS

NAME = "test-text-pair-classification"
LONG = "".join(
    f"In {1800 + number} they counted {number * 37 % 101} ships — e\u0301 or \u00e9! " for number in range(90)
)
PAIRS = (
    *GOLDEN_PAIRS,
    *((pair, text) for text, pair in GOLDEN_PAIRS[:4]),
    ("A man eats.", LONG),
    (LONG, "A man eats."),
    (LONG[:900], LONG[-900:]),
    ("An empty second text is none.", ""),
    ("", "An empty first text is one."),
    ("one [SEP] two", "<s> three </s> 漢字 😀"),
)


LAYOUTS = {"bert": "fused", "roberta": "ensemble"}


@pytest.fixture(scope="module", params=mostly_long(LAYOUTS, "roberta"))
def served(request, tmp_path_factory, serve_repository):
    """(address, name, the pipeline's answer to (text, pair)); all labels, built with batches of four."""
    model = tiny_models.FAMILIES[request.param](tmp_path_factory.mktemp("models") / request.param)
    name = f"{NAME}-{request.param}"
    done = build(
        model,
        model,
        "-",
        name,
        "v1",
        4,
        "--task",
        "text-pair-classification",
        "--api",
        "tei",
        "--top-k",
        3,
        "--layout",
        LAYOUTS[request.param],
    )
    assert done.returncode == 0, done.stderr
    assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
    pipeline = original(model, "AutoModelForSequenceClassification", "TextClassificationPipeline")
    pipeline.tokenizer.model_max_length = min(pipeline.tokenizer.model_max_length, 512)
    address = serve_repository(BUILD / name / "v1/model_repository").address
    yield address, name, lambda text, pair: pipeline({"text": text, "text_pair": pair}, truncation=True, top_k=3)
    shutil.rmtree(BUILD / name, ignore_errors=True)


def inputs(pairs):
    return {"text_input": [[text] for text, _ in pairs], "text_pair": [[pair] for _, pair in pairs]}


def check(answer, expected):
    for labels, scores, right in zip(answer["predicts"], answer["scores"], expected, strict=True):
        assert [label.decode("utf-8") for label in labels] == [one["label"] for one in right]
        np.testing.assert_allclose(scores, [one["score"] for one in right], atol=1e-4)


def test_answers_as_the_pipeline(served):
    address, name, pipeline = served
    expected = [pipeline(*pair) for pair in PAIRS]
    assert len({one[0]["label"] for one in expected}) > 1, "pairs get different answers"
    assert expected[0][0]["score"] != pipeline(PAIRS[0][0], PAIRS[1][1])[0]["score"], "the second text counts"
    for start in range(0, len(PAIRS), 4):
        pairs, answers = PAIRS[start : start + 4], expected[start : start + 4]
        check(ask("grpc", address, name, inputs(pairs)), answers)
        check(ask("http", address, name, inputs(pairs[:1])), answers[:1])


def test_bad_requests_are_refused(served):
    address, name, _ = served
    with pytest.raises(Exception, match="input 'text_pair', row 1: not valid UTF-8"):
        ask("http", address, name, {"text_input": [["a"], ["b"]], "text_pair": [["c"], [b"\xff"]]})
    one, two = ([1, 1], ["a"]), ([2, 1], ["a", "b"])
    for tensors in ({"text_input": one}, {"text_pair": one}, {"text_input": two, "text_pair": one}):
        status, body = post(address, name, tensors)
        assert (status, "Traceback" in body["error"]) == (400, False)
