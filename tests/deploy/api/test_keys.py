"""Bearer keys: which requests need one, and which keys are accepted."""

import pytest

KEYS = ("first-key-0123456789", "second.key~0123456789")


@pytest.fixture
def client(make_client, tmp_path):
    (tmp_path / "keys").write_text("\n".join(KEYS) + "\n\n")
    return make_client("feature-extraction", keys=tmp_path / "keys")[0]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_each_key_is_accepted(client, key, scheme):
    headers = {"Authorization": f"{scheme} {key}"}
    assert client.post("/embed", json={"inputs": "a"}, headers=headers).status_code == 200
    assert client.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", f"Basic {KEYS[0]}", f"Bearer {KEYS[0]}x", f"Bearer {KEYS[0][:-1]}",
               KEYS[0], f"Bearer {KEYS[0]} {KEYS[1]}", b"Bearer \xff\xfe"]
)  # fmt: skip
@pytest.mark.parametrize("path", ["/embed", "/v1/embeddings", "/"])
def test_other_headers_get_401(client, header, path):
    headers = {} if header is None else {"Authorization": header}
    answer = client.post(path, json={"inputs": "a", "input": "a"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert all(key not in answer.text for key in KEYS)
    form = answer.json()["error"]
    assert form["code"] == "invalid_api_key" if path.startswith("/v1/") else answer.json()["error_type"]


@pytest.mark.parametrize("path", ["/info", "/v1/models", "/v1/models/topics"])
def test_what_tells_of_the_model_needs_a_key(client, path):
    assert client.get(path).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/docs", "/openapi.json"])
def test_health_and_the_description_stay_open(client, path):
    assert client.get(path).status_code == 200


def test_without_a_file_everybody_may_ask(make_client):
    client, _ = make_client("feature-extraction")
    assert client.post("/embed", json={"inputs": "a"}).status_code == 200
