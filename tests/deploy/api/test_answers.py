"""What the routes make of Triton's answers."""

import base64
import math

import numpy as np
import pytest

TEXT = "The quick brown fox"


def test_openai_gives_numbers_or_their_bytes_and_counts_tokens(make_client):
    client, _ = make_client("feature-extraction")
    plain = client.post("/v1/embeddings", json={"input": [TEXT, "fox"], "model": "topics", "user": "me"}).json()
    coded = client.post("/v1/embeddings", json={"input": [TEXT, "fox"], "encoding_format": "base64"}).json()
    assert [each["index"] for each in plain["data"]] == [0, 1]
    for one, other in zip(plain["data"], coded["data"], strict=True):
        assert one["embedding"] == np.frombuffer(base64.b64decode(other["embedding"]), "<f4").tolist()
    assert plain["usage"] == {"prompt_tokens": 6 + 3, "total_tokens": 9}, "with [CLS] and [SEP]"


def test_tokens_are_those_that_are_left_of_a_long_text(make_client):
    client, _ = make_client("feature-extraction")
    answer = client.post("/v1/embeddings", json={"input": "fox " * 50}).json()
    assert answer["usage"]["total_tokens"] == 16


def test_a_size_is_passed_on_only_if_the_model_has_several(make_client):
    client, triton = make_client("feature-extraction")
    assert client.post("/v1/embeddings", json={"input": "a", "dimensions": 4}).status_code == 200
    client, others = make_client("feature-extraction", sizes=(4, 2))
    answer = client.post("/v1/embeddings", json={"input": "a", "dimensions": 2}).json()
    assert len(answer["data"][0]["embedding"]) == 2
    assert (triton.requests[0][1], others.requests[0][1]) == ({}, {"dimensions": 2})


def test_embed_gives_length_1_unless_normalize_is_false(make_client):
    client, triton = make_client("feature-extraction")
    (unit,) = client.post("/embed", json={"inputs": TEXT}).json()
    (own,) = client.post("/embed", json={"inputs": TEXT, "normalize": False, "prompt_name": "query"}).json()
    assert own == [len(TEXT), 0, 2, 1] and triton.requests[1][1] == {"prompt_name": "query"}
    assert np.linalg.norm(unit) == pytest.approx(1)
    np.testing.assert_allclose(np.array(unit) * np.linalg.norm(own), own, rtol=1e-5)


@pytest.mark.parametrize("path", ["/similarity", "/"])
def test_similarity_is_the_cosine(make_client, path):
    client, _ = make_client("feature-extraction")
    body = {"inputs": {"source_sentence": "aa", "sentences": ["b", "cccc"]}, "parameters": {}}
    found = client.post(path, json=body).json()
    rows = np.array([[2, 0, 2, 1], [1, 1, 2, 1], [4, 2, 2, 1]])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(found, rows[1:] @ rows[0], rtol=1e-5)


def test_ranks_are_sorted_and_probabilities_unless_raw(make_client):
    client, triton = make_client("text-ranking", score_function="none")
    body = {"query": "q", "texts": ["bb", "ccc", "d"]}
    ranks = client.post("/rerank", json={**body, "return_text": True}).json()
    assert [(each["index"], each["text"]) for each in ranks] == [(1, "ccc"), (0, "bb"), (2, "d")]
    raw = client.post("/rerank", json={**body, "raw_scores": True}).json()
    assert [each["score"] for each in raw] == pytest.approx([0.04, 0.03, 0.02])
    assert [each["score"] for each in ranks] == pytest.approx([1 / (1 + math.exp(-each["score"])) for each in raw])
    assert triton.requests[0][0] == [["q"] * 3, body["texts"]]


@pytest.mark.parametrize(
    ("task", "inputs", "columns", "is_batch"),
    [
        ("text-classification", TEXT, [[TEXT]], False),
        ("text-classification", [TEXT], [[TEXT]], False),
        ("text-classification", [["a"], ["b"]], [["a", "b"]], True),
        ("text-pair-classification", ["a", "b"], [["a"], ["b"]], False),
        ("text-pair-classification", [["a", "b"], ["c"]], [["a", "c"], ["b", ""]], True),
    ],
)
def test_predict_takes_texts_pairs_and_batches(make_client, task, inputs, columns, is_batch):
    client, triton = make_client(task)
    answer = client.post("/predict", json={"inputs": inputs}).json()
    row = [{"score": 0.75, "label": "yes"}, {"score": 0.25, "label": "no"}]
    assert answer == ([row] * len(columns[0]) if is_batch else row)
    assert triton.requests[0][0] == columns


def test_the_parameters_of_hugging_faces_client(make_client):
    client, _ = make_client("text-classification")
    body = {"inputs": TEXT, "parameters": {"top_k": 1, "function_to_apply": "softmax"}}
    assert client.post("/", json=body).json() == [[{"score": 0.75, "label": "yes"}]]
    refused = client.post("/", json={"inputs": TEXT, "parameters": {"function_to_apply": "sigmoid"}})
    assert refused.status_code == 422 and "softmax" in refused.json()["error"]


def test_the_filling_of_sparse_rows_is_left_out(make_client):
    client, _ = make_client("sparse-embedding")
    answer = client.post("/embed_sparse", json={"inputs": [TEXT, "fox"]}).json()
    assert answer == [[{"index": 3, "value": 0.5}, {"index": 7, "value": 0.25}]] * 2


def test_info_tells_the_model_and_its_limits(make_client):
    client, _ = make_client("text-classification")
    info = client.get("/info").json()
    assert info["model_type"]["classifier"]["label2id"] == {"no": 0, "yes": 1, "perhaps": 2}
    assert (info["max_input_length"], info["max_client_batch_size"], info["model_sha"]) == (16, 8, "abc")
