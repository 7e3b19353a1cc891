"""What each route refuses, and in which form."""

import asyncio
import json

import pytest
from starlette.requests import Request

from deploy.api import app
from deploy.api.errors import FAILED, OVERLOADED, REFUSED, ApiError, as_openai, as_tei

EMBED, OPENAI = "/embed", "/v1/embeddings"


def refusal(answer):
    """(status, sentence) of an error in the form of its protocol."""
    body = answer.json()
    if isinstance(body["error"], dict):
        assert set(body["error"]) == {"message", "type", "param", "code"}
        return answer.status_code, body["error"]["message"]
    assert set(body) == {"error", "error_type"}
    return answer.status_code, body["error"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 400, "input is missing"),
        ({"input": []}, 400, "input is empty"),
        ({"input": 5}, 400, "neither a text nor a list"),
        ({"input": [1, 2, 3]}, 400, "token numbers"),
        ({"input": [[1, 2], [3]]}, 400, "check_embedding_ctx_length=False"),
        ({"input": ["a", None]}, 400, "input[1] is not a text"),
        ({"input": "\ud800"}, 400, "surrogate"),
        ({"input": "a", "model": "other"}, 404, "the model is 'topics'"),
        ({"input": "a", "encoding_format": "hex"}, 400, "float, base64"),
        ({"input": "a", "dimensions": 5}, 400, "choose one of: 4"),
        ({"input": "a", "dimensions": True}, 400, "whole number"),
        ({"input": "a", "temperature": 1}, 400, "field 'temperature' is not known"),
        ({"input": ["a"] * 9}, 413, "send at most 8"),
        ([], 400, "not a JSON object"),
    ],
)
def test_openai(make_client, body, status, says):
    client, triton = make_client("feature-extraction")
    code, sentence = refusal(client.post(OPENAI, content=json.dumps(body)))
    assert code == status and says in sentence
    assert not triton.requests


@pytest.mark.parametrize(
    ("task", "path", "body", "status", "says"),
    [
        ("feature-extraction", EMBED, {"inputs": []}, 400, "is empty"),
        ("feature-extraction", EMBED, {"inputs": "a", "prompt_name": "x"}, 422, "choose one of: query"),
        ("feature-extraction", EMBED, {"inputs": "a", "normalize": 1}, 422, "true or false"),
        ("feature-extraction", EMBED, {"inputs": "a", "truncation_direction": "Left"}, 422, "side Right"),
        ("feature-extraction", EMBED, {"inputs": "fox " * 50, "truncate": False}, 413, "more than 16 tokens"),
        ("feature-extraction", "/similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, 400, "empty"),
        ("text-ranking", "/rerank", {"query": "a", "texts": ["b"], "raw_scores": True}, 422, "--activation none"),
        ("text-ranking", "/rerank", {"query": "a"}, 422, "texts is missing"),
        ("text-ranking", "/rerank", {"query": "a" * 20_000, "texts": ["b"] * 8}, 413, "characters"),
        ("text-classification", "/predict", {"inputs": ["a", "b"]}, 422, "takes one text"),
        ("text-classification", "/predict", {"inputs": [["a"], ["b", "c", "d"]]}, 422, "row 1"),
        ("text-classification", "/predict", {"inputs": [["a"], "b"]}, 422, "row 1"),
        ("text-classification", "/predict", {"inputs": [[1]]}, 422, "not a text"),
        ("sparse-embedding", "/embed_sparse", {"inputs": {"a": 1}}, 422, "neither a text"),
    ],
)  # fmt: skip
def test_tei(make_client, task, path, body, status, says):
    client, _ = make_client(task)
    code, sentence = refusal(client.post(path, json=body))
    assert code == status and says in sentence


@pytest.mark.parametrize("path", [EMBED, OPENAI])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"input": ' + b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_a_body_that_is_no_json_gets_400(make_client, path, content):
    client, _ = make_client("feature-extraction", max_body=1_000_000)
    assert refusal(client.post(path, content=content))[0] == 400


@pytest.mark.parametrize("path", [EMBED, OPENAI])
@pytest.mark.parametrize("sent", [b"x" * 1001, iter([b"x" * 600, b"x" * 600])], ids=["stated", "chunked"])
def test_a_large_body_gets_413(make_client, path, sent):
    client, _ = make_client("feature-extraction", max_body=1000)
    parts = iter([b"x" * 600, b"x" * 600]) if not isinstance(sent, bytes) else sent
    assert refusal(client.post(path, content=parts)) == (
        413,
        "the body has more than 1000 bytes (TRITON_MAX_INPUT_BYTES)",
    )


@pytest.mark.parametrize(
    ("kind", "openai", "tei", "error_type"),
    [(OVERLOADED, 429, 429, "Overloaded"), (REFUSED, 400, 422, "Tokenizer"), (FAILED, 500, 424, "Backend")],
)
def test_failures_of_triton_in_each_form(make_client, kind, openai, tei, error_type):
    client, triton = make_client("feature-extraction")
    triton.failure = ApiError(kind, "too many requests wait")
    answers = [client.post(OPENAI, json={"input": "a"}), client.post(EMBED, json={"inputs": "a"})]
    assert [refusal(each) for each in answers] == [(openai, "too many requests wait"), (tei, "too many requests wait")]
    assert answers[1].json()["error_type"] == error_type
    assert [each.headers.get("retry-after") for each in answers] == ["1" if kind is OVERLOADED else None] * 2


def test_a_fault_of_this_process_is_500_without_its_text(make_client, capsys):
    client, triton = make_client("feature-extraction")
    triton.failure = RuntimeError("/secret/path")
    for path, body, status in ((OPENAI, {"input": "a"}, 500), (EMBED, {"inputs": "a"}, 424)):
        code, sentence = refusal(client.post(path, json=body))
        assert code == status and "secret" not in sentence


def test_a_body_that_does_not_arrive_gets_408(monkeypatch):
    monkeypatch.setattr(app, "BODY_SECONDS", 0.05)

    async def receive():
        await asyncio.sleep(5)

    with pytest.raises(ApiError, match="did not arrive within") as raised:
        asyncio.run(app._body(Request({"type": "http", "headers": []}, receive), 100))
    assert as_tei(raised.value)[0] == as_openai(raised.value)[0] == 408


def test_unknown_paths_and_methods(make_client):
    client, _ = make_client("feature-extraction")
    assert refusal(client.get("/v1/other"))[0] == 404
    assert refusal(client.get("/other"))[0] == 404
    assert refusal(client.get(EMBED))[0] == 405
    assert client.get("/v1/models/other").json()["error"]["type"] == "invalid_request_error"


def test_health_follows_triton(make_client):
    client, triton = make_client("text-ranking")
    assert (client.get("/health").status_code, client.get("/health").content) == (200, b"")
    triton.ready = False
    assert refusal(client.get("/health")) == (503, "Triton is not ready")
