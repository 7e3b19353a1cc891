"""token-classification: built by one command, served by the real Triton, equal to transformers' own pipeline."""

import collections
import json
import shutil

import numpy as np
import pytest

from tests import tiny_models
from tests.selection import mostly_long
from tests.server.published import Increase, expected_names
from tests.server.task_requests import ask, build, original, post
from utils.host.build_tree import BUILD
from utils.repository.corpus import GOLDEN_TEXTS

NAME = "test-token-classification"
# family -> strategy; tests/components/test_token_classification.py has each with each tokenizer
BUILDS = {"bert": None, "roberta": "first", "xlm-roberta": "none"}
TEXTS = (
    *GOLDEN_TEXTS,
    "My name is Wolfgang Müller-Lüdenscheidt and I live in New York, near O'Hare's bakery.",
    "Анна едет из Санкт-Петербурга\tв Москву.\n  王小明は東京にいました。 e\u0301 😀 [SEP] <s> it",
    "fox " * 3000,
    "漢字" * 700,
    "x" * 50_000,
)


@pytest.fixture(scope="module", params=mostly_long(BUILDS, "roberta"))
def served(request, tmp_path_factory, serve_repository):
    """(address, name, the pipeline's answer to a text); built with batches of four."""
    family, aggregation = request.param, BUILDS[request.param]
    model = tiny_models.as_token_classification(
        tmp_path_factory.mktemp("models") / family, tiny_models.FAMILIES[family]
    )
    name = f"{NAME}-{family}"
    options = ["--aggregation", aggregation] if aggregation else []
    done = build(model, model, "-", name, "v1", 4, "--task", "token-classification", *options)
    assert done.returncode == 0, done.stderr
    assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
    pipeline = original(model, "AutoModelForTokenClassification", "TokenClassificationPipeline")
    pipeline.tokenizer.model_max_length = min(pipeline.tokenizer.model_max_length, 512)
    address = serve_repository(BUILD / name / "v1/model_repository").address
    yield address, name, lambda text: pipeline(text, aggregation_strategy=aggregation or "simple")
    shutil.rmtree(BUILD / name, ignore_errors=True)


def check(answer, expected):
    for (document,), right in zip(answer["entities"], expected, strict=True):
        entities = json.loads(document)
        assert [list(entity) for entity in entities] == [list(entity) for entity in right]
        scores = [(entity.pop("score"), one["score"]) for entity, one in zip(entities, right, strict=True)]
        np.testing.assert_allclose(*np.array(scores, dtype=np.float64).reshape(-1, 2).T, atol=1e-4)
        assert entities == [{key: value for key, value in one.items() if key != "score"} for one in right]


def test_answers_as_the_pipeline(served):
    address, name, pipeline = served
    expected = [pipeline(text) for text in TEXTS]
    assert sum(map(len, expected)) > len(TEXTS)
    assert len({json.dumps(each, default=float) for each in expected}) > len(TEXTS) / 2, "texts get different answers"
    for start in range(0, len(TEXTS), 4):
        texts, answers = TEXTS[start : start + 4], expected[start : start + 4]
        check(ask("grpc", address, name, {"text_input": [[text] for text in texts]}), answers)
        check(ask("http", address, name, {"text_input": [[texts[0]]]}), answers[:1])


def test_an_empty_text_has_no_entities(served):
    address, name, _ = served
    status, body = post(address, name, {"text_input": ([1, 1], [""])})
    assert status == 200
    assert body["outputs"] == [{"name": "entities", "datatype": "BYTES", "shape": [1, 1], "data": ["[]"]}]


def test_the_metrics_count_entities(served, serve_repository):
    address, name, pipeline = served
    increase = Increase(serve_repository(BUILD / name / "v1/model_repository").metrics, name)
    found = [entity for text in TEXTS[:4] for entity in pipeline(text)]
    ask("http", address, name, {"text_input": [[text] for text in TEXTS[:4]]})
    labels = collections.Counter(entity.get("entity") or entity["entity_group"] for entity in found)
    assert labels
    increase.wait_for(text_tokens_count=4, best_score_count=len(found), predictions_total=dict(labels))
    assert increase.names() == expected_names(BUILD / name / "v1")


def test_bad_requests_are_refused(served):
    address, name, _ = served
    with pytest.raises(Exception, match="input 'text_input', row 1: not valid UTF-8"):
        ask("http", address, name, {"text_input": [["good"], [b"\xff"]]})
    for inputs in ({"text_input": ([1, 2], ["a", "b"])}, {"text_input": ([5, 1], ["a"] * 5)}, {}):
        status, body = post(address, name, inputs)
        assert (status, "Traceback" in body["error"]) == (400, False)


def test_what_cannot_be_built_is_reported(tmp_path):
    sequences = tiny_models.bert(tmp_path / "sequences")
    tokens = tiny_models.as_token_classification(tmp_path / "tokens", tiny_models.bert)
    for model, options, code, words in (
        (sequences, [], 3, "BertForSequenceClassification"),
        (tokens, ["--aggregation", "last"], 2, "--aggregation 'last' is not known; choose one of: none, simple, first"),
        (tokens, ["--top-k", "2"], 2, "--top-k is not for --task token-classification"),
    ):
        done = build(model, model, "-", NAME, "--task", "token-classification", *options)
        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr.splitlines()[-1]
    done = build(tokens, tokens, "-", NAME)
    assert done.returncode == 3
    assert "BertForTokenClassification" in done.stderr.splitlines()[-1]


def test_the_plan_tells_the_tensors(tmp_path):
    model = tiny_models.as_token_classification(tmp_path / "model", tiny_models.bert)
    done = build(model, model, "-", NAME, "--task", "token-classification", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["served_model"]["outputs"] == ["entities BYTES [1]"]
    assert plan["steps"][2]["inputs"] == ["logits FP32 [-1, 6]", "text_input BYTES [1]"]
